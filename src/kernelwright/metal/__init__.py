"""Metal without a Mac: compiles Metal Shading Language for this machine's CPU, runs it, and checks what it does.

``compile_shader(source)`` keeps the contract of ``torch.mps.compile_shader``; ``check=True`` watches every access to
memory. Start reading at ``program.py``: the whole way of a source to a program in one screen. What a run proves and
what it does not: ``docs/metal.md``. Importing this package costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelwright.metal.apple_gpus import ModelledTime, modelled_times
    from kernelwright.metal.contract import Diagnostic, KernelSignature, Severity
    from kernelwright.metal.errors import MetalCheckError, MetalCompileError, NvidiaMissing, ToolchainMissing
    from kernelwright.metal.library import Kernel, ShaderLibrary, compile_shader
    from kernelwright.metal.reports import Report, ReportKind
    from kernelwright.metal.work import AccessWork, BufferWork, Inspection, KernelWork

__all__ = [
    "AccessWork",
    "BufferWork",
    "Diagnostic",
    "Inspection",
    "Kernel",
    "KernelSignature",
    "KernelWork",
    "MetalCheckError",
    "MetalCompileError",
    "ModelledTime",
    "NvidiaMissing",
    "Report",
    "ReportKind",
    "Severity",
    "ShaderLibrary",
    "ToolchainMissing",
    "compile_shader",
    "modelled_times",
]

_WHERE = {
    "AccessWork": "work",
    "BufferWork": "work",
    "Diagnostic": "contract",
    "Inspection": "work",
    "Kernel": "library",
    "KernelSignature": "contract",
    "KernelWork": "work",
    "MetalCheckError": "errors",
    "MetalCompileError": "errors",
    "NvidiaMissing": "errors",
    "ModelledTime": "apple_gpus",
    "Report": "reports",
    "ReportKind": "reports",
    "Severity": "contract",
    "ShaderLibrary": "library",
    "ToolchainMissing": "errors",
    "compile_shader": "library",
    "modelled_times": "apple_gpus",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:  # the parts import each other through this package: nothing may be imported before it is asked
        return getattr(import_module(f"kernelwright.metal.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'kernelwright.metal' has no attribute {name!r}")
