"""Analysis: who reads profiles, and how good the predictions were."""

from kernelwright.analysis.analyst import Analyst, Subject

__all__ = ["Analyst", "Subject"]
