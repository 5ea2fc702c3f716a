"""Translated programs into PTX, the text that the driver of an NVIDIA GPU compiles. Imports no torch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kernelwright.metal import cache as disk
from kernelwright.metal.build import LANGUAGE, PRELUDE, parsed_prelude, sources_digest
from kernelwright.metal.preprocess import HEADERS
from kernelwright.metal.toolchain import CompilerFailed, Toolchain, run

PTX_VERSIONS = {"sm_70": 63, "sm_75": 63, "sm_80": 70, "sm_86": 71, "sm_89": 78, "sm_90": 78}
"""The architectures that can be asked for, and the oldest PTX that knows each and has all that our headers use (release
notes of the PTX ISA): drivers read what is not newer than they are. GPUs younger than sm_90 run its code."""

_FLAGS = (
    *LANGUAGE, "-O2", "--target=nvptx64-nvidia-cuda", "-nogpulib",
    "-fconvergent-functions",  # no call may be moved to where fewer lanes make it
    "--cuda-path=/nonexistent",  # or clang takes the version of a toolkit that it finds
)  # fmt: skip
_OPEN, _CLOSE = "KW_OWN_FUNCTIONS", "KW_OWN_FUNCTIONS_END"


def architecture(major: int, minor: int) -> str:
    """What to compile for, for a GPU of this compute capability. Raises ``ValueError`` for one that is too old."""
    wanted = [name for name in PTX_VERSIONS if int(name[3:]) <= 10 * major + minor]
    if not wanted:
        oldest = next(iter(PTX_VERSIONS))
        raise ValueError(f"an NVIDIA GPU of compute capability {major}.{minor}: Metal kernels need {oldest} or newer")
    return wanted[-1]


@dataclass(frozen=True)
class PtxBuilder:
    """One toolchain for one architecture, as ``sm_90``. Raises ``ValueError`` for an unknown one."""

    toolchain: Toolchain
    arch: str
    device: Literal["nvptx"] = "nvptx"
    lockstep: bool = False

    def __post_init__(self) -> None:
        if self.arch not in PTX_VERSIONS:
            raise ValueError(f"no architecture {self.arch!r}: there are {', '.join(PTX_VERSIONS)}")

    @property
    def flags(self) -> tuple[str, ...]:
        words = ("-target-cpu", self.arch, "-target-feature", f"+ptx{PTX_VERSIONS[self.arch]}")
        return _FLAGS + tuple(part for word in words for part in ("-Xclang", word))

    @property
    def identity(self) -> str:
        """Names what all programs of this architecture have in common."""
        return disk.key(self.toolchain, self.flags, sources_digest(HEADERS), str(HEADERS), PRELUDE)

    def program(self, text: str, folder: Path) -> Path:
        """Compiles translated ``text`` into ``folder/program.ptx``. Raises ``CompilerFailed``."""
        prelude = parsed_prelude(self.toolchain, self.flags, self.identity)
        command = [*self.toolchain.clang, *self.flags, "-include-pch", str(prelude), "-S", "-", "-o", "-"]
        ptx = run(command, f"{_OPEN}\n{text}\n{_CLOSE}\n")
        if missing := unresolved(ptx):
            raise CompilerFailed(command, f"error: PTX calls what no GPU has: {', '.join(missing)}")
        path = folder / "program.ptx"
        path.write_text(ptx)
        return path


def unresolved(ptx: str) -> list[str]:
    """Functions that PTX calls and does not define: nothing is linked to it later."""
    return re.findall(r"\.extern\s+\.func\s+(?:\([^)]*\)\s*)?([\w$]+)", ptx)
