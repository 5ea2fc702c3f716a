"""What compilers say of a candidate's kernels, and where in the candidate's file that is."""

from kernelwright.judge.diagnostics.messages import Diagnostic, read
from kernelwright.judge.diagnostics.place import Place, find

__all__ = ["Diagnostic", "Place", "find", "read"]
