"""What ``kernelwright metal ptx`` prints."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kernelwright.metal import Diagnostic
    from kernelwright.metal.program import Backend, Program


class Build(Protocol):
    """Compiles one source."""

    def __call__(self, *, backend: "Backend") -> "Program": ...


def listing(build: Build, arch: str, kernel: str | None) -> tuple[tuple["Diagnostic", ...], str]:
    """Warnings, and PTX with a head that says which entry point is which kernel; ``kernel``: of that one alone.

    Raises what ``build`` raises, and ``ValueError`` for an architecture or a kernel that there is not.
    """
    from kernelwright.metal.nvidia.ptx import PtxBuilder
    from kernelwright.metal.toolchain import find_for_ptx

    toolchain = find_for_ptx()
    program = build(backend=PtxBuilder(toolchain, arch))
    kernels = program.kernels
    if kernel is not None:
        kernels = tuple(found for found in kernels if found.host_name == kernel)
        if not kernels:
            names = ", ".join(found.host_name for found in program.kernels) or "none"
            raise ValueError(f"no kernel {kernel}: there are {names}")
        program = build(backend=PtxBuilder(toolchain, arch, only=kernels[0].number))
    head = "".join(f"// kw_kernel_{found.number}: {found.host_name}\n" for found in kernels)
    return program.warnings, head + program.library.read_text()
