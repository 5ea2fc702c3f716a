"""A run is carried from one store to another, whole."""

from pathlib import Path

import pytest

from kernelwright.schema import (
    Advice,
    Attempt,
    CallStatus,
    Candidate,
    Exchange,
    Message,
    Outcome,
    Problem,
    Prompt,
    RunSettings,
    RunState,
    Status,
    Verdict,
)
from kernelwright.store import Store
from kernelwright.suites.keeping import carry_over

SETTINGS = RunSettings(problem=Problem(name="relu", format="kernelbench", source="x"), authors=("rewriter",))
CALL = Exchange(
    key="model/1/1",
    model="ollama:a",
    prompt=Prompt(system="s", messages=(Message(role="user", text="t"),)),
    status=CallStatus.ANSWERED,
    answer="a",
)


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_is_carried_over_whole(tmp_path: Path, finished: bool) -> None:
    attempt = Attempt(
        run="",
        number=1,
        author="rewriter",
        candidate=Candidate(source="# 1", author="rewriter", title="folded"),
        verdict=Verdict(status=Status.CORRECT, artifacts={"kernel.cpp": "int x;"}),
        created="now",
        exchanges=(CALL.key,),
    )
    with Store.open(tmp_path / "made") as made:
        run = made.create_run(SETTINGS)
        made.add_exchange(run.id, CALL)
        made.add_attempt(attempt.model_copy(update={"run": run.id}), 2.0)
        made.add_advice(run.id, Advice(about=1, analyst="rules"))
        if finished:
            made.finish_run(run.id, Outcome(winner="attempt", attempt=1), 3.0)
    with Store.open(tmp_path / "home") as store:
        taken = store.create_run(SETTINGS).id
        kept = carry_over(tmp_path / "made", store)
        assert kept != taken
        found = store.run(kept)
        assert found.settings == SETTINGS
        assert found.state is (RunState.FINISHED if finished else RunState.INTERRUPTED)
        assert found.elapsed_seconds == (3.0 if finished else 2.0)
        assert found.outcome == (Outcome(winner="attempt", attempt=1) if finished else None)
        assert store.attempts(kept) == (attempt.model_copy(update={"run": kept}),)
        assert store.exchanges(kept) == (CALL,)
        assert store.advice(kept, 1) == Advice(about=1, analyst="rules")


def test_where_there_was_no_run_there_is_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        assert carry_over(tmp_path / "made", store) == ""
        assert store.runs() == ()
