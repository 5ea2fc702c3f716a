"""What an Author is: it is handed a Task and its own Attempts so far, and answers with a Candidate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from kernelwright.models import Journal, MemoryJournal
from kernelwright.schema import (
    Advice,
    Attempt,
    Candidate,
    ContextPiece,
    DeviceFacts,
    Exchange,
    Precision,
    Problem,
    Target,
    Text,
)


class AuthorError(Exception):
    """The Author cannot write a Candidate for this Task. The message is one line."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split())[:500])


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of an Author."""

    problem: Problem
    facts: DeviceFacts
    platform: str
    """``cpu``, ``cuda`` or ``mps``: where the Candidate will run."""
    precision: Precision = Precision.STRICT
    target: Target | None = None
    """The language asked for; ``None`` leaves it to the Author."""
    tries: int = 5
    """Failures in a row after which the Author is given up on."""
    context: frozenset[ContextPiece] = frozenset()
    """Which of the following the Author may be shown; what is not in it is empty."""
    reference: Text | None = None
    docs: tuple[Text, ...] = ()
    peers: tuple[Attempt, ...] = ()
    """The best correct Attempt of each other Author, best first."""
    advice: Advice | None = None
    """About the Author's best Attempt."""
    beaten: frozenset[str] = frozenset()
    """Baselines that were timed and will not stay: a Candidate that does the same need not be written."""
    eager_error: float | None = None
    """How far eager is from float64 on one draw, in the norm: a Candidate may err a few times as much."""
    gate: str | None = None
    """The folder of the gate (``judge/gate.py``) before a device that several judges use; who measures passes it."""
    journal: Journal = field(default_factory=MemoryJournal, compare=False)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A Candidate with what it took. Authors that ask no model answer with the Candidate alone."""

    candidate: Candidate | None
    failure: str = ""
    """One line, where there is no Candidate: the Attempt is then ``generation_failed``."""
    exchanges: tuple[Exchange, ...] = ()
    context: frozenset[ContextPiece] = frozenset()
    """What was in the prompt."""
    base: int | None = None
    """The number of the Attempt that the Candidate sets out to improve."""
    final: bool = False
    """The Author cannot go on (its provider refuses its key, say): it is not asked again."""


@runtime_checkable
class Author(Protocol):
    """Writes Candidates. What they propose depends on the arguments alone: a resumed Run asks a new instance."""

    @property
    def name(self) -> str:
        """How the Author is asked for, ``file:PATH`` included."""
        ...

    @property
    def trusted(self) -> bool:
        """Built-in: its Candidates may run where no isolation is available. Always False for entry points."""
        ...

    @property
    def targets(self) -> frozenset[Target]:
        """The languages it can write."""
        ...

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | Proposal | None:
        """The next Candidate; ``None`` when there is nothing more to offer.

        ``history`` holds this Author's own Attempts at this Problem so far, oldest first. May block for minutes, and is
        called in a thread of its own. Raises ``AuthorError`` (one line) when it cannot write one.
        """
        ...


def waits(author: Author) -> bool:
    """Whether the Author spends its time waiting for somebody else, a model say: it says so by an attribute ``waits``.

    Such an Author writes while Candidates are judged; one that computes would disturb their timing.
    """
    return bool(getattr(author, "waits", False))
