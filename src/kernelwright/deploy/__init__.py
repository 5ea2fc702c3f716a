"""Winners put to use: ``optimize`` returns a drop-in module. For one candidate ``judge`` answers, and ``profile`` says
where its time goes."""

from kernelwright.deploy.judging import judge
from kernelwright.deploy.optimized import OptimizedModule
from kernelwright.deploy.optimizing import optimize
from kernelwright.deploy.profiling import Profiled, profile

__all__ = ["OptimizedModule", "Profiled", "judge", "optimize", "profile"]
