"""Turns, budgets, failures, repetitions: the loop of one run."""

from typing import Any

import pytest

from kernelwright.authors import AuthorError
from kernelwright.schema import BaselineTiming, Budget, Interval, Limits, RunState, Status


def test_authors_take_turns_until_nobody_has_more(table: Any, author: Any) -> None:
    authors = author("a", ["ok 1.1", "ok 1.2"]), author("b", ["ok 1.3"])
    run = table.swarm(*authors).start(table.settings(*authors))
    assert table.sources(run.id) == ["ok 1.1", "ok 1.3", "ok 1.2"]
    assert [a.number for a in table.store.attempts(run.id)] == [1, 2, 3]
    assert run.state is RunState.FINISHED
    assert run.outcome is not None
    assert (run.outcome.winner, run.outcome.attempt) == ("attempt", 2)
    assert run.outcome.problem_labels == ("paper",)
    assert len(run.outcome.baselines) == 3


def test_an_author_sees_its_own_attempts_only(table: Any, author: Any) -> None:
    authors = a, b = author("a", ["ok 1.1", "ok 1.2"]), author("b", ["ok 1.3"])
    table.swarm(*authors).start(table.settings(*authors))
    assert [[x.candidate.source for x in seen] for seen in a.seen] == [[], ["ok 1.1"], ["ok 1.1", "ok 1.2"]]
    assert [[x.candidate.source for x in seen] for seen in b.seen] == [[], ["ok 1.3"]]


def test_an_author_is_told_which_baselines_are_beaten(table: Any, author: Any) -> None:
    asked = author("a", ["ok 0.9", "ok 1.1"])
    table.swarm(asked).start(table.settings(asked))
    assert asked.beaten == [{"eager"}, {"eager"}, {"eager", "compile"}]


def test_the_judge_is_told_who_is_trusted(table: Any, author: Any) -> None:
    authors = author("ours", ["ok 1.1"]), author("theirs", ["ok 1.2"], trusted=False)
    table.swarm(*authors).start(table.settings(*authors))
    assert table.session.judged == [("ok 1.1", True), ("ok 1.2", False)]


@pytest.mark.parametrize(
    ("error", "feedback"),
    [
        (AuthorError("no compiler found"), "no compiler found"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (RuntimeError("two\nlines"), "RuntimeError: two lines"),
    ],
)
def test_an_authors_exception_is_an_attempt(table: Any, author: Any, error: Exception, feedback: str) -> None:
    authors = author("a", [error, "ok 1.5"]), author("b", ["ok 1.1"])
    run = table.swarm(*authors).start(table.settings(*authors))
    first = table.store.attempts(run.id)[0]
    assert first.candidate is None
    assert (first.verdict.status, first.verdict.feedback) == (Status.GENERATION_FAILED, feedback)
    assert table.sources(run.id) == [None, "ok 1.1", "ok 1.5"]


def test_an_author_is_given_up_on_after_failures_in_a_row(table: Any, author: Any) -> None:
    stubborn = author("stubborn", ["bad 1", "bad 2", "ok 1.1", "bad 3", "bad 4", "bad 5", "ok 9"])
    run = table.swarm(stubborn).start(table.settings(stubborn, tries=3))
    assert table.sources(run.id) == ["bad 1", "bad 2", "ok 1.1", "bad 3", "bad 4", "bad 5"]
    assert run.outcome is not None
    assert run.outcome.attempt == 3


def test_the_same_source_is_not_judged_twice(table: Any, author: Any) -> None:
    authors = author("a", ["ok 1.1"]), author("b", ["ok 1.1", "ok 1.2"])
    run = table.swarm(*authors).start(table.settings(*authors))
    assert table.session.judged == [("ok 1.1", True), ("ok 1.2", True)]
    second = table.store.attempts(run.id)[1]
    assert second.verdict.warnings == ("same source as attempt 1: not judged again",)
    assert second.verdict.speedup == table.store.attempts(run.id)[0].verdict.speedup


def test_an_author_that_repeats_itself_comes_to_an_end(table: Any, author: Any) -> None:
    parrot = author("parrot", ["ok 1.1"] * 50)
    run = table.swarm(parrot).start(table.settings(parrot, tries=2))
    assert table.sources(run.id) == ["ok 1.1"] * 3
    assert len(table.session.judged) == 1


def test_a_trusted_author_is_not_bound_by_a_verdict_on_an_untrusted_one(table: Any, author: Any) -> None:
    authors = author("theirs", ["ok 1.1"], trusted=False), author("ours", ["ok 1.1"])
    table.swarm(*authors).start(table.settings(*authors))
    assert table.session.judged == [("ok 1.1", False), ("ok 1.1", True)]


def test_a_budget_of_attempts(table: Any, author: Any) -> None:
    many = author("many", [f"ok 1.{n}" for n in range(1, 10)])
    run = table.swarm(many).start(table.settings(many, budget=Budget(attempts=4)))
    assert len(table.store.attempts(run.id)) == 4


def test_a_budget_of_seconds_lets_the_first_attempt_happen(table: Any, author: Any) -> None:
    slow = author("slow", [f"ok 1.{n}" for n in range(1, 10)])
    judge = table.session.judge

    def judge_for_ten_seconds(candidate: Any, *, trusted: bool = False) -> Any:
        table.now += 10.0
        return judge(candidate, trusted=trusted)

    table.session.judge = judge_for_ten_seconds
    run = table.swarm(slow).start(table.settings(slow, budget=Budget(seconds=25.0)))
    assert len(table.store.attempts(run.id)) == 3
    assert run.elapsed_seconds == 30.0
    assert table.store.attempts(run.id)[0].judge_seconds == 10.0
    late = table.swarm(slow).start(table.settings(slow, budget=Budget(seconds=0.001)))
    assert len(table.store.attempts(late.id)) == 1


def test_a_run_without_a_single_attempt_ends_with_the_best_baseline(table: Any, author: Any) -> None:
    silent = author("silent", [])
    run = table.swarm(silent).start(table.settings(silent))
    assert run.outcome is not None
    assert (run.outcome.winner, run.outcome.attempt) == ("compile", None)


def test_nobody_is_asked_where_a_baseline_is_at_the_limit(table: Any, author: Any) -> None:
    limits = Limits(bytes_moved=1, flops=1, byte_floor_ms=1.0, work_floor_ms=0.5, certain_share=0.95)
    at_the_limit = BaselineTiming(name="eager", ms=Interval(median=1.0, low=1.0, high=1.0), limits=limits)
    table.session._baselines = (at_the_limit,)
    recorder, eager = Recorder(), author("a", ["ok 2.0"])
    run = table.swarm(eager, observer=recorder).start(table.settings(eager))
    assert not table.session.judged
    assert run.outcome is not None
    assert run.outcome.winner == "eager"
    assert ("author", "a", "eager is at 95% of what memory allows any program") in recorder.events


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def run_started(self, run: Any, attempts: Any) -> None:
        self.events.append(("run", len(attempts)))

    def baselines_timed(self, baselines: Any) -> None:
        self.events.append(("baselines", len(baselines)))

    def attempt_started(self, number: int, author: str) -> None:
        self.events.append(("start", number, author))

    def attempt_finished(self, attempt: Any, best: Any) -> None:
        self.events.append(("done", attempt.number, best.number if best else None))

    def author_finished(self, author: str, reason: str) -> None:
        self.events.append(("author", author, reason))

    def run_finished(self, run: Any) -> None:
        self.events.append(("end", run.state))


def test_observers_see_the_run_in_order(table: Any, author: Any) -> None:
    recorder = Recorder()
    authors = author("a", ["ok 1.5"]), author("b", ["bad", "bad 2"])
    table.swarm(*authors, observer=recorder).start(table.settings(*authors, tries=2))
    assert recorder.events == [
        ("run", 0),
        ("baselines", 3),
        ("start", 1, "a"),
        ("done", 1, 1),
        ("start", 2, "b"),
        ("done", 2, 1),
        ("start", 3, "a"),
        ("author", "a", "nothing more to offer"),
        ("start", 3, "b"),
        ("done", 3, 1),
        ("author", "b", "gave up after 2 failures in a row"),
        ("end", RunState.FINISHED),
    ]
