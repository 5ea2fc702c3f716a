"""``replay:RUN``: the same candidates once more, and no model asked."""

from pathlib import Path

import pytest

from kernelwright import authors
from kernelwright.authors import Task
from kernelwright.authors.replay import expanded
from kernelwright.schema import (
    Attempt,
    CallStatus,
    Candidate,
    DeviceFacts,
    Exchange,
    Message,
    Problem,
    Prompt,
    RunSettings,
    Status,
    Target,
    Verdict,
)
from kernelwright.store import Store
from kernelwright.swarm import Swarm
from loopback_provider import LoopbackProvider, Reply, Request

FACTS = DeviceFacts(platform="cpu", name="paper", memory_bytes=1, cores=1, cache_bytes=1)
FILE = "import torch\n\n\nclass ModelNew(torch.nn.Module):\n    def forward(self, x):\n        return x + {}\n"
PROBLEM = """
import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1
def get_inputs():
    return [torch.ones(3)]
def get_init_inputs():
    return []
"""


class Refusing:
    """A judge that finds every candidate wrong."""

    problem_labels = ()
    eager_error = None

    def baselines(self) -> tuple[()]:
        return ()

    def profile(self, candidate: Candidate, *, trusted: bool = False) -> None:
        return None

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        return Verdict(status=Status.MISMATCH, feedback="off by one", candidate=candidate.digest)


def answer(request: Request) -> Reply:
    """A file, then a change to it, then prose, then a file again."""
    number = request.number
    if number == 1:
        return Reply("<<<<<<< SEARCH\n        return x + 0\n=======\n        return x + 7\n>>>>>>> REPLACE\n")
    return Reply("I would rather not." if number == 2 else f"Done.\n\n```python\n{FILE.format(number)}```\n")


def run(store: Store, settings: RunSettings) -> tuple[Attempt, ...]:
    task = Task(problem=settings.problem, facts=FACTS, platform="cpu", target=Target.TORCH)
    swarm = Swarm(store, Refusing(), [authors.get(name) for name in settings.authors], task)  # type: ignore[arg-type]
    return store.attempts(swarm.start(settings).id)


def sources(attempts: tuple[Attempt, ...]) -> list[str | None]:
    return [attempt.candidate.source if attempt.candidate else None for attempt in attempts]


def test_a_run_is_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kernelwright.problems import from_file

    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    (tmp_path / "problem.py").write_text(PROBLEM)
    (tmp_path / "mine.py").write_text(FILE.format(99))
    problem = from_file(tmp_path / "problem.py")
    with LoopbackProvider(answer) as provider, Store.open() as store:
        names = provider.name(), f"file:{tmp_path / 'mine.py'}"
        first = run(store, RunSettings(problem=problem, authors=names, target=Target.TORCH, tries=4, parallel=1))
        asked = len(provider.requests)
    by_model = [attempt for attempt in first if attempt.exchanges]
    assert (len(by_model), asked) == (4, 4)
    with Store.open() as store:  # the provider is gone
        again = run(
            store,
            RunSettings(problem=problem, authors=expanded(f"replay:{first[0].run}"), tries=4, target=Target.TORCH),
        )
    played = [attempt for attempt in again if attempt.exchanges]
    assert sources(tuple(played)) == sources(tuple(by_model))
    assert [attempt.verdict.feedback for attempt in played] == [attempt.verdict.feedback for attempt in by_model]
    assert [attempt.cost_usd for attempt in played] == [0.0] * 4
    others = [attempt.candidate.source for attempt in again if not attempt.exchanges and attempt.candidate]
    assert others == [FILE.format(99)]


@pytest.mark.parametrize("name", ["replay:nothing", "replay:nothing/openai:gpt-5"])
def test_a_run_that_is_not_stored_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    with pytest.raises(LookupError, match="no run 'nothing' in this store"):
        for one in expanded(name):
            authors.get(one)


def test_authors_that_wrote_nothing_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    mine = tmp_path / "mine.py"
    mine.write_text(FILE.format(99))
    problem = Problem(name="p", format="kernelbench", source=PROBLEM)
    with Store.open() as store:
        names = f"file:{mine}", f"file:{tmp_path / 'other.py'}"
        stored = store.create_run(RunSettings(problem=problem, authors=names))
        with pytest.raises(LookupError, match=f"nothing to replay in run {stored.id}"):
            expanded(f"replay:{stored.id}")
        attempt = Attempt(
            run=stored.id, number=1, author=names[0], candidate=Candidate(source=FILE, author=names[0]),
            verdict=Verdict(status=Status.MISMATCH), created="now",
        )  # fmt: skip
        store.add_attempt(attempt)
    assert expanded(f"replay:{stored.id}") == (f"replay:{stored.id}/{names[0]}",)
    assert authors.get(f"replay:{stored.id}/{names[0]}").name == f"replay:{stored.id}/{names[0]}"


def test_calls_of_an_author_whose_name_begins_alike_are_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    with Store.open() as store:
        names = "openrouter:meta", "openrouter:meta/small"
        stored = store.create_run(RunSettings(problem=Problem(name="p", format="kernelbench"), authors=names))
        talk = Prompt(system="", messages=(Message(role="user", text="?"),))
        call = Exchange(key=f"{names[1]}/1/1", model=names[1], prompt=talk, status=CallStatus.ANSWERED, answer="!")
        store.add_exchange(stored.id, call)
    assert expanded(f"replay:{stored.id}") == (f"replay:{stored.id}/{names[1]}",)
    with pytest.raises(LookupError, match=f"run {stored.id} has no attempt of 'openrouter:meta'"):
        authors.get(f"replay:{stored.id}/{names[0]}")
