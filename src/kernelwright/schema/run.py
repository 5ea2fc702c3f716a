"""Attempts and runs: what is stored, and what a resumed run goes on from."""

import math
from enum import StrEnum

from kernelwright.schema.base import Record
from kernelwright.schema.candidate import Candidate, Target
from kernelwright.schema.problem import Problem
from kernelwright.schema.verdict import BaselineTiming, Precision, Speedup, Verdict

UNTIMED = "untimed"
"""The outcome of a run whose candidates were checked on the Metal runtime: nothing was timed, so nobody won."""


class Budget(Record):
    """When a run ends. ``None`` means no bound of that kind."""

    attempts: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """``"5m"``, ``"90s"``, ``"1h"``, ``"20"`` (attempts) or both: ``"20,5m"``.

        Raises ``ValueError`` with one line that shows the form.
        """
        attempts: int | None = None
        seconds: float | None = None
        units = {"s": 1.0, "m": 60.0, "h": 3600.0}
        for part in filter(None, (p.strip() for p in text.split(","))):
            try:
                if part[-1] in units:
                    seconds = float(part[:-1]) * units[part[-1]]
                else:
                    attempts = int(part)
            except ValueError:
                raise ValueError(
                    f"budget {text!r} is not a time or a number of attempts: write 5m, 90s, 20 or 20,5m"
                ) from None
        unbounded = attempts is None and seconds is None
        no_attempt = attempts is not None and attempts < 1
        no_time = seconds is not None and not 0 < seconds < math.inf
        if unbounded or no_attempt or no_time:
            raise ValueError(f"budget {text!r} is not a time or a number of attempts: write 5m, 90s, 20 or 20,5m")
        return cls(attempts=attempts, seconds=seconds)


class RunSettings(Record):
    """Everything that makes a run repeatable, apart from the machine."""

    problem: Problem
    target: Target | None = None
    authors: tuple[str, ...] = ()
    budget: Budget = Budget()
    precision: Precision = Precision.STRICT
    platform: str = "cpu"
    tries: int = 5
    """Failures in a row after which an author is given up on."""


class RunState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class Attempt(Record):
    """Candidate + verdict + who wrote it. ``number`` counts from 1 within a run; failed attempts are kept too."""

    run: str
    number: int
    author: str
    candidate: Candidate | None
    """``None`` where the author could not write one; the verdict is then ``generation_failed``."""
    verdict: Verdict
    created: str
    """ISO time, UTC."""
    write_seconds: float = 0.0
    judge_seconds: float = 0.0

    @property
    def id(self) -> str:
        """``RUN/NUMBER``, the name that ``kernelwright show`` takes."""
        return f"{self.run}/{self.number}"


class Outcome(Record):
    """How a run ended: the attempt that won, or the baseline that nobody beat."""

    winner: str
    """``attempt``, the name of the baseline that stays, or ``untimed``: candidates were checked only, and ``attempt``
    names the correct one with the least counted work."""
    attempt: int | None = None
    speedup: Speedup = Speedup()
    baselines: tuple[BaselineTiming, ...] = ()
    problem_labels: tuple[str, ...] = ()


class Run(Record):
    """One call of optimize."""

    id: str
    created: str
    state: RunState
    settings: RunSettings
    outcome: Outcome | None = None
    elapsed_seconds: float = 0.0
    """Wall time spent so far, over all resumptions: what a time budget counts."""
