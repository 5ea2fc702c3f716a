"""Winners put to use: ``optimize`` returns a drop-in module, ``judge`` answers for one candidate."""

from kernelwright.deploy.judging import judge
from kernelwright.deploy.optimized import OptimizedModule
from kernelwright.deploy.optimizing import optimize

__all__ = ["OptimizedModule", "judge", "optimize"]
