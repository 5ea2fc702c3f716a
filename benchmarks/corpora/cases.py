"""Numeric cases: a kernel of a corpus, what it is called with, what the answer should be; and running them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from corpora.answers import Answer
from kernelwright.metal import compile_shader

Constants = Mapping[str | int, bool | int | float]


@dataclass(frozen=True)
class Case:
    """Some kernels of one file of a corpus, run once."""

    file: str
    """As the corpus calls it."""
    kernels: tuple[str, ...]
    """All that ``run`` calls; the first one is what the case is about."""
    sizes: str
    run: Callable[[Any], Iterable[Answer]]
    """Given the library, it calls the kernels and tells the answers."""
    constants: Constants = field(default_factory=dict)
    """Values of function constants."""
    inaccurate: str = ""
    """Why the kernel's own formula cannot agree, where that is known. The case then has to disagree."""

    @property
    def name(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.constants.items())
        return f"{self.kernels[0]} {self.sizes}" + (f" ({chosen})" if chosen else "")


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    case: Case
    error: float
    """In units of what is allowed; infinite where the shape of the answer, a NaN or a whole number is wrong."""
    problem: str = ""
    """Why it could not run."""

    @property
    def agrees(self) -> bool:
        return not self.problem and self.error <= 1

    @property
    def expected(self) -> bool:
        """Whether it agrees, or disagrees for the reason that is known."""
        return self.agrees != bool(self.case.inaccurate) and not self.problem


def run_cases(
    cases: Sequence[Case],
    sources: Mapping[str, Path],
    includes: Sequence[Path],
    defines: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Compiles the kernels of the cases, those of one file and one choice of constants at once, and runs each."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.file, repr(sorted(case.constants.items(), key=repr))), []).append(case)
    found: list[Outcome] = []
    for (file, _), group in groups.items():
        names = {name for case in group for name in case.kernels}
        path = sources[file]
        try:
            library = compile_shader(
                path.read_text(),
                includes=[*includes, path.parent],
                defines=defines,
                constants=group[0].constants,
                kernels=names,
                file=str(path),
            )
        except (SyntaxError, ValueError) as error:
            found += [Outcome(case, float("inf"), f"does not compile: {error}") for case in group]
            continue
        found += [_run(case, library) for case in group]
    return found


def _run(case: Case, library: Any) -> Outcome:
    torch.manual_seed(0)
    try:
        return Outcome(case, max(answer.error() for answer in case.run(library)))
    except (RuntimeError, ValueError, TypeError) as error:
        return Outcome(case, float("inf"), f"{type(error).__name__}: {error}")


def launch(kernel: Any, groups: Sequence[int], group: Sequence[int], *arguments: Any, **more: Any) -> None:
    """Calls a kernel over a number of whole threadgroups in each direction."""
    threads = [n * size for n, size in zip(groups, group, strict=True)]
    kernel(*arguments, threads=threads, group_size=list(group), **more)


def ints(*values: int) -> torch.Tensor:
    """A list of 32-bit ints: what ``constant int*`` reads. A single one may be a Python int, whose upper half is 0."""
    return torch.tensor(values or (0,), dtype=torch.int32)


def longs(*values: int) -> torch.Tensor:
    """A list of 64-bit ints: strides."""
    return torch.tensor(values or (0,), dtype=torch.int64)


def record(values: bytes) -> torch.Tensor:
    """A struct in a constant buffer, from what ``struct.pack`` made of it."""
    return torch.frombuffer(bytearray(values), dtype=torch.uint8)
