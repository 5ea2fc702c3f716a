"""From translated C++ to shared libraries: the programs, the precompiled prelude and the runtime. Imports no torch.

What every program shares, the headers and the runtime library, is compiled on first use and kept (see ``cache.py``):
a program then costs one run of the compiler over its own text and one of the linker.
"""

import ctypes
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from kernelwright.metal import cache as disk
from kernelwright.metal import flops
from kernelwright.metal.mach_o import OBJECT
from kernelwright.metal.preprocess import HEADERS
from kernelwright.metal.toolchain import Toolchain, run

RUNTIME = Path(__file__).parent / "runtime"
LOCKSTEP = "KERNELWRIGHT_METAL_LOCKSTEP"
"""Environment variable: ``0`` lets all kernels whose threads wait run on fibers."""

LANGUAGE = (
    "-x", "c++", "-std=c++17", "-nostdinc", "-fdeclspec", "-fno-exceptions", "-fno-rtti",
    "-fvisibility=hidden", "-w", "-fno-strict-aliasing", "-fno-threadsafe-statics",
    "-Xclang", "-ffloat16-excess-precision=none", "-fno-math-errno", "-ferror-limit=20",
    "-fno-builtin-bcmp", "-ftemplate-depth=2000", "-fsigned-char",
)  # fmt: skip
"""How translated programs are compiled, whatever device they are for."""
_SHARED_CODE = ("-fPIC", "-fno-omit-frame-pointer")
_FAST = ("-O2",)
_CHECKED = (
    # Every access to memory becomes a call. The runtime answers for both sanitizers: their libraries are not linked.
    # Vectorised code would have other accesses than the source. Line tables say where an access stands.
    "-O1", "-DKW_CHECKED=1", "-fsanitize=thread,array-bounds,integer-divide-by-zero,alignment",
    "-mllvm", "-tsan-instrument-atomics=0", "-mllvm", "-tsan-instrument-func-entry-exit=0",
    "-mllvm", "-tsan-handle-cxx-exceptions=0",
    # A loop that copies components must not become one copy of bytes: that one is moved to the line of its last use.
    "-mllvm", "-disable-loop-idiom-memcpy",
    # `x[i] += y` reads, too; without this only the write is announced.
    "-mllvm", "-tsan-compound-read-before-write",
    "-fno-vectorize", "-fno-slp-vectorize", "-gline-tables-only", "-gdwarf-4",
)  # fmt: skip
_COUNTED = ("-x", "ir", "-O1", "-Xclang", "-disable-llvm-passes", "-fPIC", "-w")
_RUNTIME = (
    "-x", "c++", "-std=c++17", "-O2", "-g1", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics",
    "-fvisibility=hidden", "-fno-omit-frame-pointer",
)  # fmt: skip

PRELUDE = """\
// Code of these functions is counted to the line that calls them: reports name the user's lines.
#pragma clang attribute push(__attribute__((nodebug)), apply_to = hasType(functionType))
#include "kw_prelude.h"
#pragma clang attribute pop
"""

PROGRAM = """\
#pragma clang attribute push(__attribute__((internal_linkage)), apply_to = function)
{text}
#pragma clang attribute pop
"""
"""Functions that no exported kernel needs any more, once others have taken them in, are then not compiled."""


@dataclass(frozen=True)
class Builder:
    """One toolchain in one mode. ``checked`` programs tell the runtime about each access to memory."""

    toolchain: Toolchain
    checked: bool = False
    device: Literal["cpu"] = "cpu"

    @property
    def flags(self) -> tuple[str, ...]:
        if not self.checked:
            return LANGUAGE + _SHARED_CODE + _FAST + self.toolchain.target.flags + self.toolchain.target.native
        return LANGUAGE + _SHARED_CODE + _CHECKED + self.toolchain.target.checked

    @property
    def identity(self) -> str:
        """Names everything but a program's own text that its machine code depends on."""
        machine = _processor() if not self.checked else platform.machine()
        return disk.key(self.toolchain, self.flags, machine, sources_digest(HEADERS), str(HEADERS), PRELUDE, PROGRAM)

    @property
    def lockstep(self) -> bool:
        """Checked programs watch each thread on a fiber of its own."""
        return not self.checked and os.environ.get(LOCKSTEP, "1") != "0"

    def program(self, text: str, folder: Path) -> Path:
        """Compiles translated ``text`` into ``folder/program.so``. Raises ``CompilerFailed``."""
        code, library = folder / OBJECT, folder / "program.so"
        self.compile(text, code)
        target = self.toolchain.target
        libraries = () if target.system == "darwin" else system_libraries("libm.so.6")
        run([*self.toolchain.linker, *target.shared(), "-o", str(library), str(code), *libraries])
        if not target.keeps_objects:
            code.unlink()
        return library

    def compile(self, text: str, code: Path) -> None:
        """Compiles translated ``text`` into the object file ``code``. Raises ``CompilerFailed``."""
        command = [*self.toolchain.clang, *self.flags, "-include-pch", str(self.prelude()), "-", "-o"]
        if self.checked:
            optimised = run([*command, "-", "-S", "-emit-llvm"], PROGRAM.format(text=text))
            command = [*self.toolchain.clang, *_COUNTED, *self.toolchain.target.checked, "-", "-o"]
            run([*command, str(code), "-c"], flops.counted(optimised))
        else:
            run([*command, str(code), "-c"], PROGRAM.format(text=text))

    def prelude(self) -> Path:
        """Our headers, parsed once for all programs."""
        return parsed_prelude(self.toolchain, self.flags, self.identity)


def parsed_prelude(toolchain: Toolchain, flags: tuple[str, ...], name: str) -> Path:
    """Our headers as the compiler keeps them, for programs compiled with ``flags``; ``name`` stands for all of it."""

    def make(folder: Path) -> None:
        words = [word if word != "c++" else "c++-header" for word in flags]
        stamps = ("-Xclang", "-fno-pch-timestamp")  # the entry's name stands for the content
        command = [*toolchain.clang, *words, *stamps, "-I", str(HEADERS), "-", "-o", f"{folder}/prelude.pch"]
        run(command, PRELUDE)

    return disk.entry("prelude", name, make, once=True) / "prelude.pch"


def runtime_library(toolchain: Toolchain) -> Path:
    """The library that runs kernels, one for all programs of this machine."""
    target = toolchain.target
    flags = (*_RUNTIME, *target.flags, *toolchain.system_headers)
    sources = sorted(RUNTIME.glob("*.cpp"))

    def make(folder: Path) -> None:
        objects: list[str] = []
        for source in sources:
            code = str(folder / f"{source.stem}.o")
            run([*toolchain.clang, *flags, "-I", str(HEADERS), "-I", str(RUNTIME), "-c", str(source), "-o", code])
            objects.append(code)
        libraries = () if target.system == "darwin" else system_libraries("libm.so.6", "libc.so.6")
        library = str(folder / "libkw_metal.so")
        run([*toolchain.linker, *target.shared(own_calls=True), "-o", library, *objects, *libraries])
        for code in objects:
            Path(code).unlink()

    name = disk.key(toolchain, flags, sources_digest(RUNTIME), sources_digest(HEADERS))
    return disk.entry("runtime", name, make, once=True) / "libkw_metal.so"


@cache
def prepare(toolchain: Toolchain) -> None:
    """Builds what every program needs, so that a process that cannot write to the cache finds it there."""
    runtime_library(toolchain)
    for checked in (False, True):
        Builder(toolchain, checked).prelude()


@cache
def system_libraries(*names: str) -> tuple[str, ...]:
    """Paths of system libraries in this process: linking against them picks the current version of each symbol."""
    for name in names:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    with Path("/proc/self/maps").open() as maps:
        loaded = {line.split(maxsplit=5)[-1].strip() for line in maps if ".so" in line}
    return tuple(next(path for path in loaded if Path(path).name == name) for name in names)


@cache
def sources_digest(folder: Path, pattern: str = "**/*") -> str:
    """Of the files in a folder. An edit is seen by the next process."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return disk.key(*((str(path.relative_to(folder)), path.read_bytes()) for path in files))


@cache
def _processor() -> str:
    """What ``native`` flags depend on: a cache may be shared by machines that can do different things."""
    if not Path("/proc/cpuinfo").exists():  # Apple's systems, where there are no such flags
        return platform.machine()
    with Path("/proc/cpuinfo").open() as facts:
        lines = {line.strip() for line in facts if line.startswith(("flags", "Features", "model name", "CPU part"))}
    return disk.key(platform.machine(), *sorted(lines))
