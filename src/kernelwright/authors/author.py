"""What an Author is: it is handed a Task and its own Attempts so far, and answers with a Candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kernelwright.schema import Attempt, Candidate, DeviceFacts, Precision, Problem, Target


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

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next Candidate; ``None`` when there is nothing more to offer.

        ``history`` holds this Author's own Attempts at this Problem so far, oldest first. Raises ``AuthorError`` (one
        line) when it cannot write one.
        """
        ...
