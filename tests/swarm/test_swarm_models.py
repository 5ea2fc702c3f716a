"""Authors that wait for models: at the same time, within the budget, and never asked twice for the same answer."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kernelwright.authors import Proposal, Task
from kernelwright.models import asked
from kernelwright.schema import (
    Advice,
    Attempt,
    Bottleneck,
    Budget,
    CallStatus,
    Candidate,
    ContextPiece,
    Exchange,
    Message,
    Policy,
    Profile,
    Prompt,
    Recommendation,
    RunState,
    Status,
    Target,
    Usage,
)
from kernelwright.swarm import Swarm, SwarmInterruptedError

PROMPT = Prompt(system="s", messages=(Message(role="user", text="u"),))


class PaperModel:
    """Answers with what its list says; counts how often it was asked for each key."""

    sees_pictures = False

    def __init__(self, name: str, answers: Sequence[str], cost: float | None = 0.25) -> None:
        self.name, self.cost = name, cost
        self.asked: list[str] = []
        self._answers = list(answers)

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        self.asked.append(key)
        turn = int(key.split("/")[1])
        usage = Usage(input_tokens=10, output_tokens=turn)
        answer = self._answers[turn - 1]
        return Exchange(
            key=key, model=self.name, prompt=prompt, status=CallStatus.ANSWERED, answer=answer, usage=usage,
            cost_usd=self.cost,
        )  # fmt: skip


class PaperModelAuthor:
    """Asks its model once a turn. ``before`` is called with the task before it does."""

    targets = frozenset({Target.TORCH})
    trusted = False
    waits = True

    def __init__(self, model: PaperModel, before: Callable[[Task], object] = lambda task: None) -> None:
        self.name = model.name
        self.tasks: list[Task] = []
        self._model, self._before = model, before

    def propose(self, task: Task, history: Sequence[Attempt]) -> Proposal | None:
        self.tasks.append(task)
        self._before(task)
        if len(history) >= len(self._model._answers):
            return None
        exchange = asked(self._model, PROMPT, f"{self.name}/{len(history) + 1}/1", task.journal)
        shown = task.context & {ContextPiece.PROFILE} if task.advice else frozenset[ContextPiece]()
        if exchange.answer == "no key":
            return Proposal(None, "unauthorized: no such key", (exchange,), final=True)
        base = history[-1].number if history else None
        return Proposal(Candidate(source=exchange.answer, author=self.name), "", (exchange,), shown, base)


def settings(table: Any, authors: Sequence[Any], **changes: Any) -> Any:
    return table.settings(*authors, budget=changes.pop("budget", Budget())).model_copy(update=changes)


def test_models_write_at_the_same_time(table: Any) -> None:
    together = threading.Barrier(3, timeout=10)  # passed only when three authors stand here at once
    authors = [PaperModelAuthor(PaperModel(n, [f"ok 1.{n}"])) for n in "123"]
    for author in authors:
        author._before = lambda task, a=author: together.wait() if len(a.tasks) == 1 else None
    run = table.swarm(*authors).start(settings(table, authors))
    assert sorted(table.sources(run.id)) == ["ok 1.1", "ok 1.2", "ok 1.3"]


def test_an_author_that_exits_is_an_attempt_that_failed(table: Any) -> None:
    def leave(task: Task) -> None:
        raise SystemExit(3)

    author = PaperModelAuthor(PaperModel("m", ["ok 1.5"]), leave)
    run = table.swarm(author).start(settings(table, [author], tries=1))
    (attempt,) = table.store.attempts(run.id)
    assert (attempt.verdict.status, attempt.verdict.feedback) == (Status.GENERATION_FAILED, "SystemExit: 3")


def test_judgements_never_overlap(table: Any) -> None:
    judging = threading.Semaphore(1)
    judge = table.session.judge

    def alone(candidate: Any, *, trusted: bool = False) -> Any:
        assert judging.acquire(blocking=False)
        try:
            return judge(candidate, trusted=trusted)
        finally:
            judging.release()

    table.session.judge = alone
    authors = [PaperModelAuthor(PaperModel(n, [f"ok 1.{n}", f"ok 2.{n}"])) for n in "1234"]
    run = table.swarm(*authors).start(settings(table, authors))
    assert len(table.store.attempts(run.id)) == 8


def test_what_a_call_took_stands_in_the_attempt_and_the_call_in_the_store(table: Any) -> None:
    author = PaperModelAuthor(PaperModel("m", ["bad", "ok 1.5"]))
    run = table.swarm(author).start(settings(table, [author]))
    first, second = table.store.attempts(run.id)
    assert (first.exchanges, first.cost_usd, first.usage.output_tokens, first.base) == (("m/1/1",), 0.25, 1, None)
    assert (second.exchanges, second.usage.output_tokens, second.base) == (("m/2/1",), 2, 1)
    assert [exchange.answer for exchange in table.store.exchanges(run.id)] == ["bad", "ok 1.5"]


def test_an_unknown_price_is_not_nothing(table: Any) -> None:
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5"], cost=None))
    run = table.swarm(author).start(settings(table, [author]))
    assert table.store.attempts(run.id)[0].cost_usd is None


@pytest.mark.parametrize(("budget", "attempts"), [(Budget(dollars=1.0), 4), (Budget(attempts=5), 5)])
def test_budgets_count_what_is_under_way(table: Any, budget: Budget, attempts: int) -> None:
    models = [PaperModel(n, [f"ok {turn}.{n}" for turn in range(1, 9)]) for n in "123"]
    authors = [PaperModelAuthor(model) for model in models]
    run = table.swarm(*authors).start(settings(table, authors, budget=budget, rounds=99))
    assert len(table.store.attempts(run.id)) == attempts
    assert sum(len(model.asked) for model in models) <= attempts + (2 if budget.dollars else 0)


def test_an_author_that_cannot_go_on_is_not_asked_again(table: Any) -> None:
    authors = [
        PaperModelAuthor(PaperModel("shut", ["no key", "ok 9.0"])),
        PaperModelAuthor(PaperModel("m", ["ok 1.5"])),
    ]
    run = table.swarm(*authors).start(settings(table, authors))
    statuses = {attempt.author: attempt.verdict.status for attempt in table.store.attempts(run.id)}
    assert statuses == {"shut": Status.GENERATION_FAILED, "m": Status.CORRECT}


def test_a_model_that_no_longer_gains_is_given_up_on(table: Any) -> None:
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5", "ok 1.4", "ok 1.3", "ok 1.2", "ok 1.1"]))
    run = table.swarm(author).start(settings(table, [author], rounds=3))
    assert table.sources(run.id) == ["ok 1.5", "ok 1.4", "ok 1.3", "ok 1.2"]


def test_a_resumed_run_pays_for_no_answer_twice(table: Any) -> None:
    model = PaperModel("m", ["ok 1.1", "interrupt", "ok 1.3"])
    author = PaperModelAuthor(model)
    with pytest.raises(SwarmInterruptedError) as caught:
        table.swarm(author).start(settings(table, [author]))
    assert model.asked == ["m/1/1", "m/2/1"]  # the second was answered, and stopped the run while it was judged
    fixed = table.session.judge
    table.session.judge = lambda c, *, trusted=False: fixed(replace_source(c, "interrupt", "ok 1.2"), trusted=trusted)
    again = PaperModelAuthor(model)
    run = table.swarm(again).resume(caught.value.run_id)
    assert model.asked == ["m/1/1", "m/2/1", "m/3/1"]
    assert table.sources(run.id) == ["ok 1.1", "interrupt", "ok 1.3"]


def replace_source(candidate: Candidate, before: str, after: str) -> Candidate:
    return candidate.model_copy(update={"source": candidate.source.replace(before, after)})


def test_a_stop_from_elsewhere_ends_the_run_while_everybody_waits(table: Any) -> None:
    never, stop = threading.Event(), threading.Event()
    author = PaperModelAuthor(PaperModel("m", ["ok 1.1"]), lambda task: (stop.set(), never.wait(30)))
    task = table.swarm(author)._task
    swarm = Swarm(table.store, table.session, [author], task, stop=stop)
    with pytest.raises(SwarmInterruptedError) as caught:
        swarm.start(settings(table, [author]))
    assert table.store.run(caught.value.run_id).state is RunState.INTERRUPTED
    never.set()


def test_peers_are_the_best_of_the_others(table: Any) -> None:
    authors = a, b = (
        PaperModelAuthor(PaperModel("a", ["ok 1.2", "ok 1.3", "ok 1.4"])),
        PaperModelAuthor(PaperModel("b", ["ok 2.0", "bad", "bad 2"])),
    )
    table.swarm(*authors).start(settings(table, authors, policy=Policy.EXCHANGE, parallel=1))
    assert [[p.candidate.source for p in task.peers] for task in a.tasks][1:3] == [["ok 2.0"], ["ok 2.0"]]
    assert [[p.candidate.source for p in task.peers] for task in b.tasks][:3] == [["ok 1.2"], ["ok 1.3"], ["ok 1.4"]]
    alone = PaperModelAuthor(PaperModel("a", ["ok 1.2", "ok 1.3"])), PaperModelAuthor(PaperModel("b", ["ok 2.0"]))
    table.swarm(*alone).start(settings(table, alone))
    assert all(task.peers == () and ContextPiece.PEERS not in task.context for task in alone[0].tasks)


class PaperAnalyst:
    name = "paper"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def advise(self, subject: Any, journal: Any) -> Advice:
        self.asked.append(subject.attempt.number)
        said = Recommendation(bottleneck=Bottleneck.MEMORY, change="fuse", expected_gain=1.5, confidence=0.7)
        return Advice(about=subject.attempt.number, analyst=self.name, profile=subject.profile, recommendation=said)


def test_advice_is_asked_once_about_each_best_attempt_and_kept(table: Any) -> None:
    table.session.profile = lambda candidate, *, trusted=False: Profile(tool="paper", platform="cpu")
    analyst = PaperAnalyst()
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5", "ok 1.1", "ok 2.0", "ok 1.9"]))
    swarm = Swarm(table.store, table.session, [author], table.swarm(author)._task, analyst=analyst)
    run = swarm.start(settings(table, [author], context=frozenset({ContextPiece.PROFILE})))
    assert analyst.asked == [1, 3]
    attempts = table.store.attempts(run.id)
    assert [a.recommendation.change if a.recommendation else None for a in attempts] == [None, "fuse", "fuse", "fuse"]
    kept = table.store.advice(run.id, 3)
    assert kept is not None
    assert kept.about == 3


def test_context_that_is_switched_off_is_not_shown(table: Any) -> None:
    from kernelwright.schema import Text

    given = {"reference": Text(name="r.cu", text="x"), "docs": (Text(name="n.md", text="y"),)}
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5"]))
    table.swarm(author).start(settings(table, [author], context=frozenset({ContextPiece.DOCS}), **given))
    assert (author.tasks[0].reference, author.tasks[0].docs) == (None, given["docs"])


def test_a_finished_run_keeps_no_late_answer(table: Any) -> None:
    from kernelwright.swarm.journal import StoreJournal

    run = table.store.create_run(settings(table, []))
    journal = StoreJournal(table.store, run.id)
    exchange = Exchange(key="m/1/1", model="m", prompt=PROMPT, status=CallStatus.ANSWERED)
    journal.keep(exchange)
    journal.close()
    journal.keep(replace_key(exchange, "m/2/1"))
    assert [kept.key for kept in table.store.exchanges(run.id)] == ["m/1/1"]


def replace_key(exchange: Exchange, key: str) -> Exchange:
    return exchange.model_copy(update={"key": key})


def test_what_waits_for_the_device_is_not_judged_after_a_stop(table: Any) -> None:
    device, stop, waiting = threading.Lock(), threading.Event(), threading.Event()

    class Device:
        """Another run's judgement holds it from the moment the first answer is there."""

        def __enter__(self) -> None:
            if author.tasks:
                waiting.set()
            device.acquire()

        def __exit__(self, *_: object) -> None:
            device.release()

    author = PaperModelAuthor(PaperModel("m", ["ok 1.1"]), lambda task: device.acquire())
    swarm = Swarm(table.store, table.session, [author], table.swarm(author)._task, device=Device(), stop=stop)

    def end() -> None:
        assert waiting.wait(10)
        stop.set()
        device.release()

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(SwarmInterruptedError):
        swarm.start(settings(table, [author]))
    ending.join()
    assert table.session.judged == []


class PaidAnalyst(PaperAnalyst):
    """Asks a model of its own."""

    def __init__(self, model: PaperModel) -> None:
        super().__init__()
        self.model = model

    def advise(self, subject: Any, journal: Any) -> Advice:
        said = super().advise(subject, journal)
        asked(self.model, PROMPT, subject.key, journal)
        return said.model_copy(update={"exchanges": (subject.key,)})


class PaperAdvisor(PaperModel):
    def ask(self, prompt: Prompt, key: str) -> Exchange:
        self.asked.append(key)
        usage = Usage(input_tokens=100)
        return Exchange(
            key=key, model=self.name, prompt=prompt, status=CallStatus.ANSWERED, answer="fuse", usage=usage,
            cost_usd=self.cost,
        )  # fmt: skip


def test_what_an_analyst_cost_counts_once(table: Any) -> None:
    """With the attempt that it was asked for."""
    table.session.profile = lambda candidate, *, trusted=False: Profile(tool="paper", platform="cpu")
    analyst = PaidAnalyst(PaperAdvisor("eyes", [], cost=0.5))
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5", "ok 1.1", "ok 1.2"]))
    swarm = Swarm(table.store, table.session, [author], table.swarm(author)._task, analyst=analyst)
    run = swarm.start(settings(table, [author], context=frozenset({ContextPiece.PROFILE})))
    attempts = table.store.attempts(run.id)
    assert [attempt.cost_usd for attempt in attempts] == [0.25, 0.75, 0.25]
    assert [attempt.exchanges for attempt in attempts] == [("m/1/1",), ("m/2/advice", "m/2/1"), ("m/3/1",)]
    assert [attempt.usage.input_tokens for attempt in attempts] == [10, 110, 10]


def test_an_analyst_spends_the_budget_too(table: Any) -> None:
    table.session.profile = lambda candidate, *, trusted=False: Profile(tool="paper", platform="cpu")
    analyst = PaidAnalyst(PaperAdvisor("eyes", [], cost=0.5))
    author = PaperModelAuthor(PaperModel("m", ["ok 1.5", "ok 1.1", "ok 1.2", "ok 1.3"]))
    swarm = Swarm(table.store, table.session, [author], table.swarm(author)._task, analyst=analyst)
    chosen = settings(table, [author], context=frozenset({ContextPiece.PROFILE}), budget=Budget(dollars=1.0), rounds=99)
    assert len(table.store.attempts(swarm.start(chosen).id)) == 2
