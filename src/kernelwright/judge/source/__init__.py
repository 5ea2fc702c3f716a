"""Reading a candidate's text before it runs: a help to honest authors, never the defence."""

from kernelwright.judge.source.reading import BUILT_IN, read, rules
from kernelwright.judge.source.remarks import IntegrityRule, Remark

__all__ = ["BUILT_IN", "IntegrityRule", "Remark", "read", "rules"]
