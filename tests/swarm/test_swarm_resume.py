"""A run that stopped goes on from what it stored."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kernelwright.schema import Budget, RunState
from kernelwright.store import NotStoredError
from kernelwright.swarm import SwarmInterruptedError
from kernelwright.swarm.interrupts import uninterrupted


def _interrupted(table: Any, swarm: Any, settings: Any) -> str:
    with pytest.raises(SwarmInterruptedError) as caught:
        swarm.start(settings)
    assert caught.value.run_id in str(caught.value)
    assert "--resume" in str(caught.value)
    return caught.value.run_id


def test_ctrl_c_keeps_what_was_judged_and_resume_goes_on(table: Any, author: Any) -> None:
    before = author("a", ["ok 1.1", "ok 1.2", "interrupt"])
    run_id = _interrupted(table, table.swarm(before), table.settings(before))
    assert table.store.run(run_id).state is RunState.INTERRUPTED
    assert table.sources(run_id) == ["ok 1.1", "ok 1.2"]

    after = author("a", ["never asked", "never asked", "ok 1.3"])
    run = table.swarm(after).resume(run_id)
    assert run.state is RunState.FINISHED
    assert table.sources(run_id) == ["ok 1.1", "ok 1.2", "ok 1.3"]
    assert [len(seen) for seen in after.seen] == [2, 3]  # its history came from the store
    assert run.outcome is not None
    assert run.outcome.attempt == 3


def test_attempts_and_time_already_spent_count(table: Any, author: Any) -> None:
    judge = table.session.judge

    def judge_for_ten_seconds(candidate: Any, *, trusted: bool = False) -> Any:
        table.now += 10.0
        return judge(candidate, trusted=trusted)

    table.session.judge = judge_for_ten_seconds
    says = ["ok 1.1", "interrupt", "ok 1.3", "ok 1.4", "ok 1.5"]
    writer = author("a", says)
    run_id = _interrupted(table, table.swarm(writer), table.settings(writer, budget=Budget(attempts=3, seconds=100.0)))
    assert table.store.run(run_id).elapsed_seconds == 20.0
    table.now += 1_000.0  # the time between does not count
    writer = author("a", ["ok 1.1", *says[2:]])
    run = table.swarm(writer).resume(run_id)
    assert table.sources(run_id) == ["ok 1.1", "ok 1.3", "ok 1.4"]
    assert run.elapsed_seconds == 40.0


def test_turns_go_on_after_the_last_author(table: Any, author: Any) -> None:
    first = author("a", ["ok 1.1"]), author("b", ["interrupt"])
    run_id = _interrupted(table, table.swarm(*first), table.settings(*first))
    again = author("a", ["ok 1.1", "ok 1.2"]), author("b", ["ok 1.3"])
    table.swarm(*again).resume(run_id)
    assert table.sources(run_id) == ["ok 1.1", "ok 1.3", "ok 1.2"]


def test_an_author_given_up_on_stays_so(table: Any, author: Any) -> None:
    first = author("a", ["bad 1", "bad 2"]), author("b", ["ok 1.1", "ok 1.2", "interrupt"])
    run_id = _interrupted(table, table.swarm(*first), table.settings(*first, tries=2))
    again = author("a", ["bad 1", "bad 2", "ok 9"]), author("b", ["ok 1.1", "ok 1.2"])
    table.swarm(*again).resume(run_id)
    assert "ok 9" not in table.sources(run_id)


def test_a_failure_of_the_judge_itself_leaves_a_run_that_can_be_resumed(table: Any, author: Any) -> None:
    writer = author("a", ["ok 1.1", "broken"])
    with pytest.raises(OSError, match="disk is full"):
        table.swarm(writer).start(table.settings(writer))
    run = table.store.runs()[0]
    assert run.state is RunState.INTERRUPTED
    assert table.sources(run.id) == ["ok 1.1"]


def test_an_unknown_run_cannot_be_resumed(table: Any, author: Any) -> None:
    with pytest.raises(NotStoredError, match="no run 'nope'"):
        table.swarm(author("a", [])).resume("nope")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises, also where these tests were started in the background of a shell, whose children ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_waits_until_the_block_has_ended(ctrl_c: None) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("stored")
        done.append("not reached")
    assert done == ["stored"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
