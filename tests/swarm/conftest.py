"""Authors and judges of paper, so that the loop is tested without torch."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kernelwright.authors import Author, Task
from kernelwright.schema import (
    Attempt,
    BaselineTiming,
    Budget,
    Candidate,
    DeviceFacts,
    Interval,
    Precision,
    Problem,
    RunSettings,
    Speedup,
    Status,
    Target,
    Verdict,
)
from kernelwright.store import Store
from kernelwright.swarm import Swarm

Says = str | Exception | None
FACTS = DeviceFacts(platform="cpu", name="paper", memory_bytes=1, cores=1, cache_bytes=1)
PROBLEM = Problem(name="paper", format="kernelbench", source="class Model: ...")


class PaperAuthor:
    """Proposes what its list says, one line after the other; an exception is raised, ``None`` ends it."""

    targets = frozenset({Target.TORCH})

    def __init__(self, name: str, says: Sequence[Says], trusted: bool = True) -> None:
        self.name = name
        self.trusted = trusted
        self.seen: list[tuple[Attempt, ...]] = []
        self.beaten: list[frozenset[str]] = []
        self._says = list(says)

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        self.seen.append(tuple(history))
        self.beaten.append(task.beaten)
        say = self._says[len(history)] if len(history) < len(self._says) else None
        if isinstance(say, Exception):
            raise say
        return None if say is None else Candidate(source=say, author=self.name)


def interval(median: float, half: float = 0.02) -> Interval:
    return Interval(median=median, low=median - half, high=median + half)


class PaperSession:
    """Reads the verdict off the source: ``ok 1.5`` is correct and 1.5 times the best baseline, ``bad`` a mismatch."""

    problem_labels = ("paper",)
    eager_error = None

    def __init__(self, baselines: tuple[BaselineTiming, ...]) -> None:
        self.judged: list[tuple[str, bool]] = []
        self._baselines = baselines

    def baselines(self) -> tuple[BaselineTiming, ...]:
        return self._baselines

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        self.judged.append((candidate.source, trusted))
        word, *ratio = candidate.source.split()
        if word == "interrupt":
            raise KeyboardInterrupt
        if word == "broken":
            raise OSError("the judge's disk is full")
        if word == "bad":
            return Verdict(status=Status.MISMATCH, candidate=candidate.digest)
        best = interval(float(ratio[0]))
        return Verdict(
            status=Status.CORRECT,
            candidate=candidate.digest,
            speedup=Speedup(eager=interval(best.median * 2), best_baseline=best, best_baseline_name="compile"),
        )


EAGER_2_COMPILE_1 = (
    BaselineTiming(name="eager", ms=interval(2.0)),
    BaselineTiming(name="compile", ms=interval(1.0)),
    BaselineTiming(name="onnxruntime", failure="not installed"),
)


class Table:
    """A swarm on a fresh store, with everything at hand."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.session = PaperSession(EAGER_2_COMPILE_1)
        self.now = 0.0

    def swarm(self, *authors: Author, observer: object = None) -> Swarm:
        task = Task(problem=PROBLEM, facts=FACTS, platform="cpu", precision=Precision.STRICT, target=None)
        return Swarm(self.store, self.session, authors, task, observer=observer, clock=lambda: self.now)  # type: ignore[arg-type]

    def settings(self, *authors: Author, budget: Budget | None = None, tries: int = 5) -> RunSettings:
        names = tuple(author.name for author in authors)
        return RunSettings(problem=PROBLEM, authors=names, budget=budget or Budget(), tries=tries)

    def sources(self, run_id: str) -> list[str | None]:
        return [a.candidate.source if a.candidate else None for a in self.store.attempts(run_id)]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with Store.open(tmp_path) as store:
        yield Table(store)


@pytest.fixture
def author() -> Callable[..., PaperAuthor]:
    return PaperAuthor
