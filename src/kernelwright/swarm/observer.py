"""Events of a run, for whoever shows it."""

from typing import Protocol

from kernelwright.schema import Attempt, BaselineTiming, Run


class Observer(Protocol):
    """Called in the thread of the swarm, in this order. What an observer raises ends the run, resumably."""

    def run_started(self, run: Run, attempts: tuple[Attempt, ...]) -> None:
        """A new run, or one that goes on from ``attempts``."""

    def baselines_timed(self, baselines: tuple[BaselineTiming, ...]) -> None: ...

    def attempt_started(self, number: int, author: str) -> None:
        """``author`` is asked for attempt ``number``; it may still have nothing more to offer."""

    def attempt_finished(self, attempt: Attempt, best: Attempt | None) -> None:
        """``attempt`` is stored; ``best`` is the winner so far, ``None`` while the best baseline leads."""

    def author_finished(self, author: str, reason: str) -> None:
        """``author`` is not asked again; ``reason`` in a few words."""

    def run_finished(self, run: Run) -> None: ...


class Silent:
    """Shows nothing."""

    def run_started(self, run: Run, attempts: tuple[Attempt, ...]) -> None: ...

    def baselines_timed(self, baselines: tuple[BaselineTiming, ...]) -> None: ...

    def attempt_started(self, number: int, author: str) -> None: ...

    def attempt_finished(self, attempt: Attempt, best: Attempt | None) -> None: ...

    def author_finished(self, author: str, reason: str) -> None: ...

    def run_finished(self, run: Run) -> None: ...
