"""Which compiler and linker turn Metal programs into machine code here. Imports no torch.

A system clang from version 16 on, with ``ld.lld``, is taken before the ``ziglang`` wheel. Of that wheel only the
``clang`` and ``ld.lld`` sub-commands are used: they are plain LLVM, while ``zig c++`` builds its own C library first.
"""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

from kernelwright.metal.errors import ToolchainMissing

OLDEST_CLANG = 16
"""The first clang whose ``_Float16`` and template deduction our headers can be compiled with."""
OLDEST_CLANG_FOR_PTX = 20
"""Of the oldest wheel that we take. Clang 16 has neither ``_Float16`` nor all instructions of NVIDIA GPUs."""
NEWEST_CLANG = 24
"""The last versioned program name (``clang-24``) that is looked for."""
INSTALL = "pip install 'kernelwright[metal]'"
VERSION_SECONDS = 20.0


@dataclass(frozen=True)
class Toolchain:
    """A compiler and a linker, as the first words of a command line."""

    clang: tuple[str, ...]
    linker: tuple[str, ...]
    name: str
    """What it is, for people and for cache keys: ``clang 16.0.6``, ``ziglang 0.15.2``."""
    system_headers: tuple[str, ...] = ()
    """Flags that lead the compiler to the C library's headers, where it does not find them itself."""


class CompilerFailed(RuntimeError):
    """The compiler or linker ended with an error; ``stderr`` is what it said."""

    def __init__(self, command: Sequence[str], stderr: str):
        said = next((line for line in stderr.splitlines() if "error:" in line), stderr.strip()[-300:])
        super().__init__(f"{Path(command[0]).name} failed: {said}")
        self.stderr = stderr


@cache
def find() -> Toolchain:
    """The toolchain of this machine; the same for the rest of the process. Raises ``ToolchainMissing``."""
    return choose(shutil.which, _clang_version, _ziglang)


@cache
def find_for_ptx() -> Toolchain:
    """The one that makes code for NVIDIA GPUs. Raises ``ToolchainMissing``."""
    return choose(shutil.which, _clang_version, _ziglang, OLDEST_CLANG_FOR_PTX)


def choose(
    which: Callable[[str], str | None],
    version: Callable[[str], tuple[int, ...] | None],
    ziglang: Callable[[], Toolchain | None],
    oldest: int = OLDEST_CLANG,
) -> Toolchain:
    """The choice itself. ``which`` finds programs, ``version`` asks a clang, ``ziglang`` finds the wheel; ``oldest``:
    the first clang that will do."""
    if sys.platform != "linux":
        raise ToolchainMissing(
            f"Metal programs are compiled for the CPU on Linux only, not on {sys.platform}; "
            "on a Mac use torch.mps.compile_shader"
        )
    names = ("clang", *(f"clang-{number}" for number in range(NEWEST_CLANG, oldest - 1, -1)))
    for name in names:
        path = which(name)
        linker = path and (which(name.replace("clang", "ld.lld")) or which("ld.lld"))
        if not path or not linker:
            continue
        found = version(path)
        if found and found[0] >= oldest:
            return Toolchain((path,), (linker,), f"clang {'.'.join(map(str, found))}")
    wheel = ziglang()
    if wheel is None:
        raise ToolchainMissing(f"no compiler for Metal: clang {oldest} or newer with ld.lld, or {INSTALL}")
    return wheel


def run(command: Sequence[str], text: str = "") -> str:
    """Standard output of a compiler or linker that gets ``text`` on standard input. Raises ``CompilerFailed``."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        raise CompilerFailed(command, done.stderr)
    return done.stdout


def _ziglang() -> Toolchain | None:
    """The wheel's program itself: ``python -m ziglang`` would start another Python for each call."""
    spec = find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "zig"
        if program.exists():
            zig, name = str(program), f"ziglang {package_version('ziglang')}"
            return Toolchain((zig, "clang"), (zig, "ld.lld"), name, _zig_headers(Path(folder) / "lib"))
    return None


def _zig_headers(library: Path) -> tuple[str, ...]:
    """The headers in the wheel: the machine may have none. They hold all versions of glibc and are told which one."""
    machine = platform.machine()
    names = (machine, {"x86_64": "x86"}.get(machine, machine))  # releases of the wheel differ in what they write
    parts = (*(f"{name}-linux-gnu" for name in names), "generic-glibc", *(f"{name}-linux-any" for name in names))
    folders = (library / "include", *(library / "libc" / "include" / part for part in (*parts, "any-linux-any")))
    minor = platform.libc_ver()[1].partition(".")[2] or "17"
    found = (word for folder in dict.fromkeys(folders) if folder.is_dir() for word in ("-isystem", str(folder)))
    return ("-nostdinc", f"-D__GLIBC_MINOR__={minor}", *found)


def _clang_version(path: str) -> tuple[int, ...] | None:
    """Of a clang that is LLVM's own; ``None`` for Apple's, whose numbers mean something else, and for broken ones."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"clang version (\d+)\.(\d+)\.(\d+)", said)
    return None if found is None or "Apple" in said else tuple(map(int, found.groups()))
