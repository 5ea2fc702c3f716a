"""What ``gate_trace.py`` prints: how long each gate's device was held and free, and who kept others waiting."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

WITHOUT_CANDIDATES = (
    "No candidate's process is among these. In a sandbox those that pass the gate themselves cannot write to the "
    "trace's folder: what they held counts as free."
)


@dataclass(frozen=True)
class Stay:
    """One visit of a device, seconds of the monotonic clock: asked to come in, came in, left."""

    gate: str
    """Device and inode of the file that stands for the room."""
    pid: int
    role: str
    caller: str
    way: str
    asked: float
    entered: float
    left: float


class Covered:
    """The union of intervals."""

    def __init__(self, intervals: Iterable[tuple[float, float]]) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        for began, ended in sorted(intervals):
            if self._ends and began <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], ended)
            elif ended > began:
                self._begins.append(began)
                self._ends.append(ended)
        lengths = (ended - began for began, ended in zip(self._begins, self._ends, strict=True))
        self._before = list(accumulate(lengths, initial=0.0))

    @property
    def seconds(self) -> float:
        return self._before[-1]

    def within(self, began: float, ended: float) -> float:
        """Seconds of the union in an interval."""
        return self._until(ended) - self._until(began)

    def _until(self, moment: float) -> float:
        k = bisect_right(self._begins, moment)
        return self._before[k] - max(0.0, self._ends[k - 1] - moment) if k else 0.0


@dataclass(frozen=True)
class Shares:
    """Seconds of the span from the first stay to the last."""

    span: float
    alone: float
    shared: float
    """By one or by several, while nobody held it alone."""
    free: float
    waiting: float
    """In which anybody waited."""


@dataclass(frozen=True)
class Row:
    """All stays of one role, for one caller, in one way. Seconds."""

    role: str
    caller: str
    way: str
    stays: int
    held: float
    longest: float
    others_waited: float
    """Of those held: in which anybody waited to come in."""
    waited: float
    """Before these stays."""


def read(folder: Path) -> list[Stay]:
    """What was written there; a line that a kill cut short is none."""
    lines = (line for path in sorted(folder.glob("stays-*.jsonl")) for line in path.read_text().splitlines(True))
    return [Stay(**json.loads(line)) for line in lines if line.endswith("\n")]


def shares(stays: Sequence[Stay]) -> Shares:
    """Of one gate."""
    began, ended = min(stay.entered for stay in stays), max(stay.left for stay in stays)
    alone = Covered((stay.entered, stay.left) for stay in stays if stay.way == "alone").seconds
    held = Covered((stay.entered, stay.left) for stay in stays).seconds
    waiting = Covered((stay.asked, stay.entered) for stay in stays).within(began, ended)
    span = ended - began
    return Shares(span, alone, held - alone, span - held, waiting)


def rows(stays: Sequence[Stay]) -> list[Row]:
    """Of one gate; first whoever kept others waiting for longest."""
    waiting = Covered((stay.asked, stay.entered) for stay in stays)  # nobody waits while being inside
    groups: dict[tuple[str, str, str], list[Stay]] = {}
    for stay in stays:
        groups.setdefault((stay.role, stay.caller, stay.way), []).append(stay)
    found = [
        Row(
            *key,
            stays=len(group),
            held=sum(stay.left - stay.entered for stay in group),
            longest=max(stay.left - stay.entered for stay in group),
            others_waited=sum(waiting.within(stay.entered, stay.left) for stay in group),
            waited=sum(stay.entered - stay.asked for stay in group),
        )
        for key, group in groups.items()
    ]
    return sorted(found, key=lambda row: (row.others_waited, row.held), reverse=True)


def tables(stays: Sequence[Stay]) -> str:
    """For each gate, the shares of its time and its callers."""
    gates: dict[str, list[Stay]] = {}
    for stay in sorted(stays, key=lambda stay: stay.entered):
        gates.setdefault(stay.gate, []).append(stay)
    parts: list[str] = []
    for number, (gate, there) in enumerate(gates.items(), start=1):
        time = shares(there)
        processes = len({stay.pid for stay in there})
        parts.append(f"Gate {number} of {len(gates)} ({gate}): {len(there)} stays of {processes} processes")
        parts.append(table(("", "s", "%"), _share_rows(time)))
        head = (
            "role",
            "asked for by",
            "way",
            "stays",
            "held s",
            "mean ms",
            "longest ms",
            "others waited s",
            "waited s",
        )
        parts.append(table(head, [_cells(row) for row in rows(there)], words=3))
    if stays and all(stay.role != "candidate" for stay in stays):
        parts.append(WITHOUT_CANDIDATES)
    return "\n\n".join(parts)


def _share_rows(time: Shares) -> list[tuple[str, ...]]:
    named = {
        "first stay to last": time.span,
        "held alone": time.alone,
        "shared": time.shared,
        "free": time.free,
        "somebody waited": time.waiting,
    }
    return [(name, f"{s:.2f}", f"{100 * s / time.span:.1f}" if time.span else "–") for name, s in named.items()]


def _cells(row: Row) -> tuple[str, ...]:
    milliseconds = (f"{1e3 * seconds:.1f}" for seconds in (row.held / row.stays, row.longest))
    waits = (f"{row.others_waited:.2f}", f"{row.waited:.2f}")
    return (row.role, row.caller or "–", row.way, str(row.stays), f"{row.held:.2f}", *milliseconds, *waits)


def table(head: Sequence[str], cells: Sequence[Sequence[str]], words: int = 1) -> str:
    """Markdown, aligned for a terminal. The first ``words`` columns are text, the others are figures."""
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.ljust(w) if k < words else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = ("-" * (w + 2) if k < words else "-" * (w + 1) + ":" for k, w in enumerate(widths))
    return "\n".join((line(head), f"|{'|'.join(rule)}|", *map(line, cells)))
