"""What ``kernelwright metal ptx`` prints."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kernelwright.metal import Diagnostic
    from kernelwright.metal.program import Backend, Program


class Build(Protocol):
    """Compiles one source."""

    def __call__(self, *, backend: "Backend", kernels: tuple[str, ...] | None) -> "Program": ...


def listing(build: Build, arch: str, kernel: str | None) -> tuple[tuple["Diagnostic", ...], str]:
    """Warnings, and PTX with a head that says which entry point is which kernel; ``kernel``: of that one alone.

    Raises what ``build`` raises, and ``ValueError`` for an architecture or a kernel that there is not.
    """
    from kernelwright.metal.nvidia.ptx import PtxBuilder
    from kernelwright.metal.toolchain import find_for_ptx

    program = build(backend=PtxBuilder(find_for_ptx(), arch), kernels=None if kernel is None else (kernel,))
    head = "".join(f"// kw_kernel_{found.number}: {found.host_name}\n" for found in program.kernels)
    return program.warnings, head + program.library.read_text()
