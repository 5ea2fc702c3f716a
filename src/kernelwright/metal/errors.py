"""What can go wrong between a Metal program's text and its answer. Imports no torch."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kernelwright.metal.contract import Diagnostic, Severity

if TYPE_CHECKING:
    from kernelwright.metal.reports import Report

_MOST_SHOWN = 20


class ToolchainMissing(RuntimeError):
    """This machine has nothing that compiles Metal programs. One line, with the command that helps."""


class NvidiaMissing(RuntimeError):
    """There is no NVIDIA GPU that Metal programs could run on, or PyTorch cannot use it. One line."""


class MetalCompileError(RuntimeError, SyntaxError):
    """The program is no Metal; ``diagnostics`` says where and why, warnings included.

    On a Mac ``torch.mps.compile_shader`` raises ``SyntaxError``, and code that calls it catches that: so this error is
    one too. ``str()`` and ``msg`` are all diagnostics as text.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        self.msg = "\n".join(str(diagnostic) for diagnostic in self.diagnostics)
        super().__init__(self.msg)

    def __str__(self) -> str:
        return self.msg

    def __reduce__(self) -> tuple[type["MetalCompileError"], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics without warnings and notes."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)


class MetalCheckError(RuntimeError):
    """A kernel ran and broke rules that a GPU does not check; ``reports`` has one record for each."""

    def __init__(self, kernel: str, reports: Sequence["Report"]):
        self.kernel = kernel
        self.reports = tuple(reports)
        count = len(self.reports)
        head = f"kernel {kernel}: {count} problem{'s' if count != 1 else ''} found by the Metal checks"
        lines = [str(report) for report in self.reports[:_MOST_SHOWN]]
        if count > _MOST_SHOWN:
            lines.append(f"and {count - _MOST_SHOWN} more")
        super().__init__("\n".join((head, *lines)))

    def __reduce__(self) -> tuple[type["MetalCheckError"], tuple[str, tuple["Report", ...]]]:
        return type(self), (self.kernel, self.reports)


class MetalRunError(RuntimeError):
    """A kernel broke off, or reported an error of its own. One line."""


class UnknownKernel(AttributeError, RuntimeError):
    """The library has no kernel of this name.

    ``torch.mps`` raises ``RuntimeError`` with this message; as an ``AttributeError`` it also lets ``hasattr`` work.
    """

    def __init__(self, name: str):
        super().__init__(f"Failed to create function state object for: {name}")
