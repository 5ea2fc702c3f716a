"""Whether whole files of a corpus compile, with every kernel that they instantiate."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kernelwright.metal import MetalCompileError
from kernelwright.metal.preprocess import preprocess
from kernelwright.metal.program import build
from kernelwright.metal.toolchain import CompilerFailed, find


@dataclass(frozen=True)
class Compiled:
    """What came of one file."""

    file: str
    kernels: int
    seconds: float
    """Of the wall clock; next to nothing where the program was compiled before."""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    """Empty where it compiles."""


def compile_files(sources: Sequence[Path], includes: Sequence[Path], jobs: int) -> Iterator[Compiled]:
    """Compiles each file as it is, ``jobs`` at a time, those that take longest first; in the order of the list."""
    with ThreadPoolExecutor(jobs) as pool:
        largest_first = sorted(sources, key=lambda path: _size(path, includes), reverse=True)
        running = {path: pool.submit(compile_file, path, includes) for path in largest_first}
        for path in sources:
            yield running[path].result()


def compile_file(path: Path, includes: Sequence[Path], defines: Mapping[str, str] | None = None) -> Compiled:
    """Compiles one file whole."""
    start = time.perf_counter()
    try:
        program = build(path.read_text(), includes=[*includes, path.parent], defines=defines, file=str(path))
    except MetalCompileError as error:
        found = tuple(str(diagnostic) for diagnostic in error.diagnostics)
        return Compiled(path.name, 0, time.perf_counter() - start, errors=found)
    said = tuple(f"{warning.place.line}: {warning.message}" for warning in program.warnings)
    return Compiled(path.name, len(program.kernels), time.perf_counter() - start, said)


def _size(path: Path, includes: Sequence[Path]) -> int:
    """Of the text with all that it instantiates, which is what takes time; 0 where it includes what is not there."""
    try:
        return len(preprocess(path.read_text(), find(), includes=[*includes, path.parent], file=str(path)))
    except CompilerFailed:
        return 0


def missing(compiled: Compiled, header: str) -> bool:
    """Whether a file does not compile because it includes something that only Apple has."""
    return any(header in error for error in compiled.errors)


def total(files: Iterable[Compiled]) -> tuple[int, int]:
    """How many files compile, and how many kernels they have."""
    good = [file for file in files if not file.errors]
    return len(good), sum(file.kernels for file in good)
