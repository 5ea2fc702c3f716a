"""Asking authors: tasks, histories, and all that one of them proposes."""

from kernelwright.authors import Task, get
from kernelwright.schema import Attempt, Candidate, DeviceFacts, Problem, Status, Target, Verdict

CORRECT = Verdict(status=Status.CORRECT)


def task(problem: Problem, platform: str = "cpu", target: Target | None = None) -> Task:
    facts = DeviceFacts(platform=platform, name="test", memory_bytes=1, cores=1, cache_bytes=0)
    return Task(problem=problem, facts=facts, platform=platform, target=target)


def attempts(author: str, *candidates: Candidate | None, verdict: Verdict = CORRECT) -> list[Attempt]:
    """One after the other, all with this verdict."""
    return [
        Attempt(run="r", number=k + 1, author=author, candidate=c, verdict=verdict, created="now")
        for k, c in enumerate(candidates)
    ]


def everything(name: str, of: Task) -> list[Candidate]:
    """All that an Author proposes until it has nothing more."""
    found: list[Candidate] = []
    while (candidate := get(name).propose(of, attempts(name, *found))) is not None:
        found.append(candidate)
        assert len(found) < 10
    return found
