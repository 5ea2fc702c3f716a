"""Analysts by name."""

from kernelwright.analysis.analyst import Analyst
from kernelwright.analysis.rules import RulesAnalyst
from kernelwright.analysis.vision import VisionAnalyst


def get(name: str) -> Analyst:
    """``rules``, or ``PROVIDER:MODEL`` for a language model. Raises ``LookupError`` with one line for anything else."""
    if name == RulesAnalyst.name:
        return RulesAnalyst()
    if ":" not in name:
        raise LookupError(f"no analyst {name!r}: there are rules, and PROVIDER:MODEL for a language model")
    from kernelwright import models

    return VisionAnalyst(models.get(name))
