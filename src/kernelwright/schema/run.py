"""Attempts and runs: what is stored, and what a resumed run goes on from."""

import math
from enum import StrEnum

from kernelwright.schema.base import Record
from kernelwright.schema.candidate import Candidate, Target
from kernelwright.schema.exchange import Usage
from kernelwright.schema.problem import Problem
from kernelwright.schema.profile import Recommendation
from kernelwright.schema.verdict import BaselineTiming, Precision, Speedup, Verdict

UNTIMED = "untimed"
"""The outcome of a run whose candidates were checked on what stands in for a device: nothing was timed, nobody won."""


class Budget(Record):
    """When a run ends. ``None`` means no bound of that kind."""

    attempts: int | None = None
    seconds: float | None = None
    dollars: float | None = None
    """Known cost of model calls. Calls of unknown cost do not count, and the run says how many there were."""

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """``"5m"``, ``"90s"``, ``"1h"``, ``"20"`` (attempts), ``"$2"`` (model calls), or several: ``"20,5m,$2"``.

        Raises ``ValueError`` with one line that shows the form.
        """
        attempts: int | None = None
        seconds: float | None = None
        dollars: float | None = None
        form = (
            f"budget {text!r} is no budget: write a time (5m, 90s), attempts (20), dollars ($2), or several: 20,5m,$2"
        )
        units = {"s": 1.0, "m": 60.0, "h": 3600.0}
        for part in filter(None, (p.strip() for p in text.split(","))):
            try:
                if part[0] == "$":
                    dollars = float(part[1:])
                elif part[-1] in units:
                    seconds = float(part[:-1]) * units[part[-1]]
                else:
                    attempts = int(part)
            except ValueError:
                raise ValueError(form) from None
        unbounded = attempts is None and seconds is None and dollars is None
        no_attempt = attempts is not None and attempts < 1
        no_time = seconds is not None and not 0 < seconds < math.inf
        no_money = dollars is not None and not 0 < dollars < math.inf
        if unbounded or no_attempt or no_time or no_money:
            raise ValueError(form)
        return cls(attempts=attempts, seconds=seconds, dollars=dollars)


class ContextPiece(StrEnum):
    """What an author can be shown beside the task; each can be switched off, to compare with and without."""

    REFERENCE = "reference"
    """An implementation in another language."""
    PROFILE = "profile"
    """The profile of its best candidate and one recommendation."""
    PEERS = "peers"
    """The best kernels of the other authors."""
    DOCS = "docs"
    """Notes of the user."""


class Text(Record):
    """A named text that a run is given: a reference implementation, a page of notes."""

    name: str
    text: str


class Policy(StrEnum):
    """How a swarm spends its budget over its authors."""

    INDEPENDENT = "independent"
    """Each by itself, in turns."""
    EXCHANGE = "exchange"
    """In turns, and each sees the best of the others."""
    BANDIT = "bandit"
    """The budget flows to authors that still gain."""


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
    rounds: int = 3
    """Correct attempts in a row without a gain after which an author is given up on."""
    policy: Policy = Policy.INDEPENDENT
    context: frozenset[ContextPiece] = frozenset()
    reference: Text | None = None
    """Shown with ``ContextPiece.REFERENCE``."""
    docs: tuple[Text, ...] = ()
    """Shown with ``ContextPiece.DOCS``."""
    analyst: str = "rules"
    """Who reads profiles with ``ContextPiece.PROFILE``: ``rules`` or ``PROVIDER:MODEL``."""
    parallel: int = 8
    """Authors that may write at the same time. Judgements never overlap on a device."""
    seed: int = 0
    """Of the policy's own draws."""


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
    exchanges: tuple[str, ...] = ()
    """Keys of the model calls that led to it."""
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    """Of its model calls; ``None`` where one of them has no known price."""
    context: frozenset[ContextPiece] = frozenset()
    """What its author was shown."""
    base: int | None = None
    """The number of the attempt that it set out to improve."""
    recommendation: Recommendation | None = None
    """What it was advised to do; its prediction is scored against this attempt."""

    @property
    def id(self) -> str:
        """``RUN/NUMBER``, the name that ``kernelwright show`` takes."""
        return f"{self.run}/{self.number}"


class Outcome(Record):
    """How a run ended: the attempt that won, or the baseline that nobody beat."""

    winner: str
    """``attempt``, the name of the baseline that stays, or ``untimed``: candidates were checked only, and ``attempt``
    names the correct one with the least counted work, or the first where no work is counted."""
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
