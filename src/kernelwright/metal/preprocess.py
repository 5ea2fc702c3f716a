"""The C preprocessor over a Metal source, with our headers for the macros that programs may test. Imports no torch."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from kernelwright.metal.toolchain import Toolchain, run

HEADERS = Path(__file__).parent / "headers"

PREDEFINED = {"__METAL__": "1", "__METAL_VERSION__": "320", "__METAL_MACOS__": "1", "__HAVE_BFLOAT__": "1"}
"""What Apple's compiler defines before the first line of a program for macOS 15, language version 3.2."""


def preprocess(
    source: str,
    toolchain: Toolchain,
    *,
    includes: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    file: str = "program.metal",
) -> str:
    """The source with macros and includes resolved, and line markers that name the user's files and lines.

    ``includes``: folders for ``#include``, after our ``metal_stdlib`` and before PyTorch's ``c10/metal``.
    ``file``: what the source is called in markers and diagnostics. Raises ``CompilerFailed`` (``#error``, an unknown
    include, an unfinished ``#if``).
    """
    macros = PREDEFINED | dict(defines or {})
    command = [
        *toolchain.clang, "-E", "-x", "c++", "-std=c++17", "-nostdinc", "-undef", "-w",
        *(f"-D{name}={value}" for name, value in macros.items()),
        *(word for folder in (HEADERS, *includes, *_torch_headers()) for word in ("-I", str(folder))),
        "-",
    ]  # fmt: skip
    quoted = file.replace("\\", "\\\\").replace('"', '\\"')
    return run(command, f'#line 1 "{quoted}"\n{source}')


def _torch_headers() -> tuple[Path, ...]:
    """Where ``c10/metal/*.h`` lies: torch.mps.compile_shader offers these to every program. Found without an import."""
    spec = find_spec("torch")
    folders = (Path(folder) / "include" for folder in (spec.submodule_search_locations or ()) if spec) if spec else ()
    return tuple(folder for folder in folders if folder.is_dir())
