"""Which compiler and linker turn Metal programs into machine code here. Imports no torch.

On Linux a system clang from version 16 on, with ``ld.lld``, is taken before the ``ziglang`` wheel. Of that wheel only
the ``clang`` and ``ld.lld`` sub-commands are used: they are plain LLVM, while ``zig c++`` builds its own C library
first. On a Mac it is Xcode's clang, which also links, before the wheel, whose linker for Apple's systems is ``zig cc``.
"""

import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.target import Target, host

OLDEST_CLANG = 16
"""The first clang whose ``_Float16`` and template deduction our headers can be compiled with."""
OLDEST_APPLE_CLANG = 15
"""The same in Apple's numbers: Xcode 15 has LLVM 16."""
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
    target: Target = field(default_factory=host)
    """What they make code for."""


@dataclass(frozen=True)
class Clang:
    """Which clang a program is."""

    numbers: tuple[int, ...]
    apple: bool = False

    def is_from(self, oldest: int) -> bool:
        """Whether it will do where LLVM's own must be at least ``oldest``."""
        return self.numbers[0] >= (OLDEST_APPLE_CLANG if self.apple else oldest)

    def __str__(self) -> str:
        return f"{'Apple ' if self.apple else ''}clang {'.'.join(map(str, self.numbers))}"


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
    version: Callable[[str], Clang | None],
    ziglang: Callable[[], Toolchain | None],
    oldest: int = OLDEST_CLANG,
) -> Toolchain:
    """The choice itself. ``which`` finds programs, ``version`` asks a clang, ``ziglang`` finds the wheel; ``oldest``:
    the first of LLVM's clangs that will do."""
    target = host()
    if target.system not in ("linux", "darwin"):
        raise ToolchainMissing(f"Metal programs are compiled on Linux and macOS only, not on {target.system}")
    if (target.system, target.machine) == ("darwin", "x86_64"):
        raise ToolchainMissing("Metal programs are compiled on Macs with Apple's processors only, not with Intel's")
    on_a_mac = target.system == "darwin"
    names = ("clang", *(f"clang-{number}" for number in range(NEWEST_CLANG, oldest - 1, -1)))
    for name in names:
        path = which(name)
        linker = path if on_a_mac else path and (which(name.replace("clang", "ld.lld")) or which("ld.lld"))
        if not path or not linker:
            continue
        found = version(path)
        if found and found.is_from(oldest):
            return Toolchain((path,), (linker,), str(found), target=target)
    wheel = ziglang()
    if wheel is None:
        system = (
            f"Xcode {OLDEST_APPLE_CLANG} or newer (xcode-select --install)"
            if on_a_mac
            else f"clang {oldest} or newer with ld.lld"
        )
        raise ToolchainMissing(f"no compiler for Metal: {system}, or {INSTALL}")
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
            return wheel_toolchain(Path(folder), f"ziglang {package_version('ziglang')}", host())
    return None


def wheel_toolchain(folder: Path, name: str, target: Target) -> Toolchain:
    """The programs and headers of a ``ziglang`` wheel in ``folder``, for the system of ``target``."""
    zig, library = str(folder / "zig"), folder / "lib"
    if target.system == "darwin":
        linker = (zig, "cc", "-O2", "-fno-sanitize=undefined")  # else it adds functions that the runtime has
        return Toolchain((zig, "clang"), linker, name, _zig_headers(library, ("any-darwin-any",)), target)
    machines = (target.machine, {"x86_64": "x86"}.get(target.machine, target.machine))  # releases differ in the name
    parts = (*(f"{m}-linux-gnu" for m in machines), "generic-glibc", *(f"{m}-linux-any" for m in machines))
    minor = platform.libc_ver()[1].partition(".")[2] or "17"  # the headers hold all versions and are told which one
    headers = (f"-D__GLIBC_MINOR__={minor}", *_zig_headers(library, (*parts, "any-linux-any")))
    return Toolchain((zig, "clang"), (zig, "ld.lld"), name, headers, target)


def _zig_headers(library: Path, parts: Sequence[str]) -> tuple[str, ...]:
    """The headers in the wheel: the machine may have none."""
    folders = (library / "include", *(library / "libc" / "include" / part for part in parts))
    found = (word for folder in dict.fromkeys(folders) if folder.is_dir() for word in ("-isystem", str(folder)))
    return ("-nostdinc", *found)


def _clang_version(path: str) -> Clang | None:
    """``None`` for a program that is broken, or no clang."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(Apple )?clang version (\d+)\.(\d+)\.(\d+)", said)
    return Clang(tuple(map(int, found.groups()[1:])), apple=bool(found[1])) if found else None
