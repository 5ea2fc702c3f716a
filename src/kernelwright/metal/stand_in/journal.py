"""What was launched while a module ran, and what the checks and counters saw of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kernelwright.metal.reports import Report
from kernelwright.metal.work import Inspection, KernelWork

MOST_INSPECTED = 3
"""Launches of one kernel over one grid that are watched; a recurrence launches the same one hundreds of times."""
FIRST_SAMPLE = 2
"""Threadgroups that are watched to see how long one takes."""
MOST_REPORTS = 20


@dataclass
class Launches:
    """All launches of one kernel over one grid."""

    launches: int = 0
    work: list[KernelWork] = field(default_factory=list[KernelWork])
    """Of those that were watched."""


@dataclass
class Journal:
    """Filled by the stand-in's kernels. ``inspecting``: watch a part of each launch before it is carried out."""

    order: str = "ascending"
    """Of the threads of a threadgroup: ``ascending``, ``descending``, ``shuffled``."""
    seed: int = 0
    inspecting: bool = False
    seconds: float = 0.0
    """Time left for watching."""
    kernels: dict[tuple[Any, ...], Launches] = field(default_factory=dict[tuple[Any, ...], Launches])
    reports: list[tuple[Report, str]] = field(default_factory=list[tuple[Report, str]])
    """Each with its line of the Metal source."""

    def begin(self, *, inspecting: bool, seconds: float, order: str = "ascending", seed: int = 0) -> None:
        """Forget what was seen; what follows is another call of the module."""
        self.order, self.seed, self.inspecting, self.seconds = order, seed, inspecting, seconds
        self.kernels.clear()
        self.reports.clear()

    def launched(self, key: tuple[Any, ...]) -> Launches:
        """Counts a launch of the kernel that ``key`` names."""
        found = self.kernels.setdefault(key, Launches())
        found.launches += 1
        return found

    def watch(self, launches: Launches, inspect: Callable[[int], Inspection], source: str) -> tuple[Report, ...]:
        """Runs a part of a launch under the checks, as large as the time left allows. Returns what they reported.

        ``inspect(sample)`` is ``Kernel.inspect`` for this launch over so many of its threadgroups.
        """
        if len(launches.work) >= MOST_INSPECTED or self.seconds <= 0:
            return ()
        began = time.perf_counter()
        seen = inspect(FIRST_SAMPLE)
        each = (time.perf_counter() - began) / max(1, seen.work.groups_run)
        affordable = int(self.seconds / 2 / max(each, 1e-9))
        if not seen.reports and affordable > FIRST_SAMPLE < seen.work.groups:
            seen = inspect(min(affordable, seen.work.groups))
        self.seconds -= time.perf_counter() - began
        launches.work.append(seen.work)
        lines = source.splitlines()
        for report in seen.reports[: max(0, MOST_REPORTS - len(self.reports))]:
            line = lines[report.line - 1].strip() if 0 < report.line <= len(lines) else ""
            self.reports.append((report, line))
        return seen.reports

    def record(self) -> dict[str, Any]:
        """As plain data: ``kernels``, each with ``launches`` and the ``work`` of those watched, and ``reports``."""
        kernels: Sequence[Mapping[str, Any]] = [
            {"launches": found.launches, "work": [asdict(work) for work in found.work], "kernel": key[0]}
            for key, found in self.kernels.items()
        ]
        return {"kernels": kernels, "reports": [asdict(report) | {"text": text} for report, text in self.reports]}
