"""Triton candidates on a machine without a GPU: Triton's own interpreter runs them, to be checked and not timed.

The interpreter executes a kernel's programs one after the other with NumPy, block by block (Triton's documentation,
"Debugging Triton"). That shows wrong numbers, masks and shapes. It shows no race between programs, no limit of a
GPU's memory or registers, and nothing about speed. Triton reads ``TRITON_INTERPRET`` when a kernel is decorated, so
the candidate's process sets it before the candidate is imported.
"""

from importlib.util import find_spec

from kernelwright.judge.findings import stop
from kernelwright.schema import Candidate, Status, Target

NOTE = "checked in Triton's interpreter (CPU), not timed"
MISSING = "nothing here runs Triton: pip install 'kernelwright[triton]' brings its interpreter"


def interpreted(candidate: Candidate, platform: str) -> bool:
    """Whether this candidate runs in the interpreter. Raises ``Stopped`` where it would, and Triton is missing."""
    if candidate.target is not Target.TRITON or platform != "cpu":
        return False
    if find_spec("triton") is None:
        raise stop(Status.REJECTED, "toolchain", MISSING)
    return True


def timed(target: Target | None, platform: str) -> bool:
    """Whether candidates in this language can be timed there: what merely stands in for a device has no speed."""
    if target is Target.METAL:
        return platform == "mps"
    return target is not Target.TRITON or platform != "cpu"
