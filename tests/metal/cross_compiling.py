"""The runtime and programs compiled for other systems than this one, with the clang of the ziglang wheel."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from kernelwright.metal import build, language
from kernelwright.metal.language.tokens import tokenize
from kernelwright.metal.preprocess import HEADERS, preprocess
from kernelwright.metal.target import Target
from kernelwright.metal.toolchain import Toolchain, run, wheel_toolchain


def wheel() -> Path:
    """The folder of the ziglang wheel; skips the test where it is not installed."""
    spec = find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "zig").exists():
            return Path(folder)
    pytest.skip("no cross compiler: the ziglang wheel is not installed")


def toolchain_for(target: Target, triple: str) -> Toolchain:
    """The wheel's, as it is on a machine of that kind, told to make code for it here."""
    native = wheel_toolchain(wheel(), f"ziglang for {triple}", target)
    return replace(native, clang=(*native.clang, f"--target={triple}"))


def compile_all(toolchain: Toolchain, folder: Path, sources: Iterable[Path], *more: str) -> list[Path]:
    """Compiles files of the runtime, or of C, into ``folder``. Raises ``CompilerFailed``."""

    def compiled(source: Path) -> Path:
        code = folder / f"{source.stem}.o"
        kind = ("-x", "c", "-O1") if source.suffix == ".c" else build._RUNTIME
        flags = (*kind, *toolchain.target.flags, *toolchain.system_headers, *more)
        run(
            [*toolchain.clang, *flags, "-I", str(HEADERS), "-I", str(build.RUNTIME), "-c", str(source), "-o", str(code)]
        )
        return code

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(compiled, sources))


def runtime_sources() -> list[Path]:
    return sorted(build.RUNTIME.glob("*.cpp"))


def compile_program(toolchain: Toolchain, folder: Path, source: str, *, checked: bool, lockstep: bool = False) -> Path:
    """Translates Metal and compiles it as a library's object file. Raises ``CompilerFailed``."""
    tokens = tokenize(preprocess(source, toolchain, file="kernels.metal"), "kernels.metal")
    translated = language.translate(tokens, constants={}, lockstep=lockstep).text
    kind = "-checked" if checked else "-lockstep" if lockstep else ""
    code = folder / f"program{kind}{''.join(toolchain.target.native)}.o"
    build.Builder(toolchain, checked).compile(translated, code)
    return code
