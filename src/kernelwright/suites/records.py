"""The results file of a suite: settings and devices in heads, and one record for each problem.

Documented field by field in docs/suites.md. A file can be carried to another machine, and every winner in it judged
again: it holds the winner's source.
"""

from textwrap import shorten
from typing import Literal, NamedTuple

from pydantic import Field

from kernelwright.schema import (
    BaselineTiming,
    Budget,
    DeviceFacts,
    Interval,
    Precision,
    Record,
    Speedup,
    Status,
    Target,
)

SUITE_SCHEMA = "kernelwright.suite/1"
BEST = "best"
"""What a speed-up against the fastest baseline is filed under, beside the names of single baselines."""
LONGEST_REASON = 160
"""Letters of why a problem could not be judged, where it is shown among others."""


class SuiteSettings(Record):
    """How every problem was worked on."""

    suite: str = "kernelbench"
    authors: tuple[str, ...]
    target: Target | None = None
    budget: Budget
    """For each problem."""
    precision: Precision = Precision.STRICT
    platform: str
    baselines: tuple[str, ...]


class Sitting(Record):
    """One call of the command."""

    began: str
    """ISO time, UTC."""
    command: str
    at_once: int
    """Side by side on each device."""
    devices: int = 1
    problems: int = 0
    """Finished in it."""
    wall_seconds: float = 0.0
    device_seconds: float = 0.0
    """In which the device worked in timed or checked calls of any of the problems; of several devices the sum."""


class Head(Record):
    """Where and how problems were worked on; records name theirs by its place in the file."""

    settings: SuiteSettings
    kernelwright: str
    torch: str
    python: str
    device: DeviceFacts
    sittings: tuple[Sitting, ...] = ()

    @property
    def place(self) -> "Place":
        return Place(self.device.platform, self.device.name, self.device.cores, self.torch)


class Place(NamedTuple):
    """Times from one place can be compared."""

    platform: str
    device: str
    cores: int
    torch: str

    def __str__(self) -> str:
        return f"{self.device} ({self.platform}, torch {self.torch})"


class AttemptShort(Record):
    """One attempt, without its source."""

    number: int
    author: str
    title: str = ""
    status: Status
    rule: str | None = None
    why: str = ""
    """What the judge said of one that is not correct: one line, of a long one its two ends."""
    speedup: Speedup = Speedup()
    labels: tuple[str, ...] = ()
    write_seconds: float = 0.0
    judge_seconds: float = 0.0


class Winner(Record):
    """The candidate that the run ended with, whole."""

    attempt: int
    author: str
    title: str = ""
    target: Target = Target.TORCH
    digest: str
    source: str
    ms: Interval | None = None
    """A call, milliseconds."""
    less_work: bool = False
    """It is faster than a program could be that does the reference's own work: algebra."""


class Spent(Record):
    """Seconds of one problem by what they went into. What its process needs to start and to end is in none of them."""

    gate: float = 0.0
    """Waiting before the device, in the judge's own process, the reference's and candidates': in none of the others."""
    preparing: float = 0.0
    """Loading the problem, drawing inputs, answering them in float64."""
    building: float = 0.0
    """Building baselines, their autotuning included."""
    timing_baselines: float = 0.0
    writing: float = 0.0
    """Authors at work; where one times kernels of its own, it waits for the device in here."""
    checking: float = 0.0
    """Everything else that happened to candidates: import, compilation, calls, comparison."""
    timing: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(**{name: getattr(self, name) + getattr(other, name) for name in Spent.model_fields})


class ProblemRecord(Record):
    """What came of one problem."""

    level: int
    number: int
    name: str
    digest: str
    """Of the problem: format and source."""
    head: int = 0
    """The place of its head in the file."""
    finished: str
    """ISO time, UTC."""
    run: str = ""
    """Its id in the store of the machine that it was made on."""
    labels: tuple[str, ...] = ()
    """What is degenerate about the problem itself."""
    baselines: tuple[BaselineTiming, ...] = ()
    attempts: tuple[AttemptShort, ...] = ()
    stays: str = ""
    """``attempt``, the baseline that nobody beat, or ``untimed``; empty where the problem could not be judged."""
    winner: Winner | None = None
    """``None`` where a baseline stays that is no file."""
    speedups: dict[str, Interval] = {}
    """Of the winner, by the baseline's name, and ``best``."""
    byte_floor_ms: float | None = None
    """What this device needs to move inputs, weights and outputs once; ``None`` where no candidate was timed."""
    work_floor_ms: float | None = None
    """What it needs for the reference's FLOPs."""
    wall_seconds: float = 0.0
    device_seconds: float = 0.0
    """In which the device worked for this problem in timed or checked calls."""
    spent: Spent | None = None
    """``None`` in files of versions that did not count it."""
    failure: str = ""
    """One line, where the problem could not be judged."""
    cut_short: bool = False
    """Its sitting's time was up before its budget was, or an attempt found no memory beside other problems: more may
    come of it."""

    @property
    def outcome(self) -> str:
        """In a few words: what the user ends with, or why nobody knows."""
        if self.failure:
            return f"not judged: {shorten(self.failure, LONGEST_REASON, placeholder=' …')}"
        if self.winner is None:
            return f"{self.stays} stays"
        return ": ".join(filter(None, (self.winner.author, self.winner.title)))

    @property
    def lacked_memory(self) -> bool:
        """Whether an attempt failed for want of memory."""
        return any(attempt.status is Status.OUT_OF_MEMORY for attempt in self.attempts)

    @property
    def title(self) -> str:
        return f"level{self.level}/{self.name}"

    @property
    def key(self) -> tuple[int, int, str]:
        return self.level, self.number, self.name


class SuiteResults(Record):
    """The file."""

    schema_version: Literal["kernelwright.suite/1"] = Field(default=SUITE_SCHEMA, alias="schema")
    heads: tuple[Head, ...]
    problems: tuple[ProblemRecord, ...] = ()
    """By level and number."""
