"""The catalogue of attacks: what is tried, what stops it, which sample shows it. Source of ``docs/integrity.md``."""

from kernelwright.judge.integrity.attacks import ATTACKS, GAPS, Attack, Gap
from kernelwright.judge.integrity.defences import MEASURES, RULES, Defence, Layer

__all__ = ["ATTACKS", "GAPS", "MEASURES", "RULES", "Attack", "Defence", "Gap", "Layer"]
