"""Kernelwright makes PyTorch modules faster and proves it.

``kernelwright.optimize(module, inputs)`` returns a drop-in module; ``kernelwright.judge(problem, source)`` builds,
checks and times one candidate. Both are imported on first use, so that ``import kernelwright`` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelwright.deploy import OptimizedModule, judge, optimize

__version__ = "0.1.0"
__all__ = ["OptimizedModule", "__version__", "judge", "optimize"]

_LAZY = {
    "optimize": "kernelwright.deploy",
    "OptimizedModule": "kernelwright.deploy",
}


def __getattr__(name: str) -> Any:
    if name == "judge":
        return import_module("kernelwright.judge")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'kernelwright' has no attribute {name!r}")
