"""KernelBench's problems in a checkout: ``KernelBench/level1/1_Square_matrix_multiplication_.py`` and so on.

https://github.com/ScalingIntelligence/KernelBench; Ouyang et al. 2025, "KernelBench: Can LLMs Write Efficient GPU
Kernels?", arXiv:2502.10517. Its files are read where they lie; nothing of them comes with Kernelwright.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernelwright import problems
from kernelwright.schema import Problem, ProblemError

_NUMBERED = re.compile(r"(\d+)_.+\.py")


class SuiteError(ValueError):
    """The suite cannot be run, read or merged as asked; one line."""


@dataclass(frozen=True)
class Found:
    """One problem of the suite. ``failure`` says why its file is none; ``problem`` is then empty but for its name."""

    level: int
    number: int
    problem: Problem
    failure: str = ""

    @property
    def title(self) -> str:
        return f"level{self.level}/{self.problem.name}"

    @property
    def key(self) -> tuple[int, int, str]:
        """As its record has it."""
        return self.level, self.number, self.problem.name


def find(
    path: Path, levels: Iterable[int], numbers: tuple[int, int] | None = None, only: Iterable[str] = ()
) -> list[Found]:
    """The problems of these levels, by level and number.

    ``path``: the checkout or its inner folder ``KernelBench``. ``numbers``: the first and the last. ``only``: parts of
    names, of which one must occur in ``level1/19_ReLU``, upper or lower case. Raises ``SuiteError`` with one line.
    """
    if not path.is_dir():
        raise SuiteError(f"no such folder: {path}")
    root = next((folder for folder in (path / "KernelBench", path) if any(folder.glob("level*"))), None)
    if root is None:
        raise SuiteError(f"{path} is no KernelBench checkout: there is no level1 in it, nor in its folder KernelBench")
    wanted = [part.lower() for part in only]
    found: list[Found] = []
    for level in sorted(set(levels)):
        folder = root / f"level{level}"
        if not folder.is_dir():
            raise SuiteError(f"no level {level} in {root}")
        for number, file in sorted(_files(folder)):
            within = numbers is None or numbers[0] <= number <= numbers[1]
            if within and (not wanted or any(part in f"level{level}/{file.stem}".lower() for part in wanted)):
                found.append(_read(level, number, file))
    if not found:
        raise SuiteError(f"no problem in {root} is chosen by these levels, this range and these names")
    return found


def _files(folder: Path) -> Iterable[tuple[int, Path]]:
    for file in folder.iterdir():
        if (match := _NUMBERED.fullmatch(file.name)) is not None:
            yield int(match[1]), file


def _read(level: int, number: int, file: Path) -> Found:
    try:
        return Found(level, number, problems.from_file(file))
    except ProblemError as error:
        return Found(level, number, Problem(name=file.stem, format="kernelbench", path=str(file)), str(error))
