"""What goes into the store comes out again, equal."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.schema import (
    Accuracy,
    Attempt,
    BaselineTiming,
    Budget,
    Interval,
    Outcome,
    Precision,
    RunSettings,
    RunState,
    Speedup,
    Status,
)
from kernelwright.store import NotStoredError, Store, StoreError
from kernelwright.store.texts import Texts

MakeAttempt = Callable[..., Attempt]


def test_a_run_comes_back_equal(store: Store, settings: RunSettings) -> None:
    run = store.create_run(settings)
    assert store.run(run.id) == run
    assert run.state is RunState.RUNNING
    assert run.id.split("-", 1)[1].startswith("small-matmul-")


def test_state_outcome_and_budget_are_kept(store: Store, settings: RunSettings) -> None:
    run = store.create_run(settings)
    store.set_state(run.id, RunState.INTERRUPTED, 12.5)
    store.set_budget(run.id, Budget(attempts=7))
    outcome = Outcome(
        winner="compile",
        attempt=2,
        speedup=Speedup(eager=Interval(median=1.2, low=1.1, high=1.3)),
        baselines=(BaselineTiming(name="onnxruntime", failure="not installed"),),
    )
    interrupted = store.run(run.id)
    assert (interrupted.state, interrupted.elapsed_seconds) == (RunState.INTERRUPTED, 12.5)
    assert interrupted.settings.budget == Budget(attempts=7)
    assert interrupted.settings.problem == settings.problem
    store.finish_run(run.id, outcome, 20.0)
    finished = store.run(run.id)
    assert (finished.state, finished.outcome, finished.elapsed_seconds) == (RunState.FINISHED, outcome, 20.0)


def test_attempts_come_back_equal_and_in_order(store: Store, settings: RunSettings, make_attempt: MakeAttempt) -> None:
    run = store.create_run(settings)
    first = make_attempt(run.id, 1, artifacts={"$text": "odd name", "kernel.cpp": "int main;"}, seconds={"total": 0.5})
    second = make_attempt(run.id, 2, status=Status.GENERATION_FAILED).model_copy(update={"candidate": None})
    store.add_attempt(second)
    store.add_attempt(first, elapsed_seconds=3.0)
    assert store.attempts(run.id) == (first, second)
    assert store.attempt(f"{run.id}/1") == first
    assert store.count_attempts(run.id) == 2
    assert store.run(run.id).elapsed_seconds == 3.0


def test_errors_that_are_not_numbers_are_kept(store: Store, settings: RunSettings, make_attempt: MakeAttempt) -> None:
    run = store.create_run(settings)
    accuracy = Accuracy(
        candidate_norm=float("nan"),
        candidate_worst=float("inf"),
        eager_norm=0.0,
        eager_worst=0.0,
        draws=1,
        stress_draws=0,
        passes={Precision.STRICT: False},
    )
    store.add_attempt(make_attempt(run.id, 1, status=Status.MISMATCH, accuracy=accuracy))
    read = store.attempts(run.id)[0].verdict.accuracy
    assert read is not None
    assert read.candidate_norm != read.candidate_norm
    assert read.candidate_worst == float("inf")


def test_large_texts_are_files_and_are_stored_once(
    tmp_path: Path, store: Store, settings: RunSettings, make_attempt: MakeAttempt
) -> None:
    run = store.create_run(settings)
    source = "y = 1\n" * 10_000
    for number in (1, 2):
        attempt = make_attempt(run.id, number)
        assert attempt.candidate is not None
        candidate = attempt.candidate.model_copy(update={"source": source})
        store.add_attempt(attempt.model_copy(update={"candidate": candidate}))
    files = [f for f in (tmp_path / "home" / "texts").rglob("*") if f.is_file() and f.stat().st_size == len(source)]
    assert len(files) == 1
    assert b"y = 1\\ny = 1" not in (tmp_path / "home" / "store.db").read_bytes()


def test_runs_newest_first_and_their_summaries(store: Store, settings: RunSettings, make_attempt: MakeAttempt) -> None:
    ids = [store.create_run(settings).id for _ in range(3)]
    store.add_attempt(make_attempt(ids[1], 1))
    created = [run.created for run in store.runs()]
    assert sorted(run.id for run in store.runs()) == sorted(ids)
    assert created == sorted(created, reverse=True)
    assert {summary.id: summary.attempts for summary in store.summaries()} == {ids[0]: 0, ids[1]: 1, ids[2]: 0}
    assert store.summaries()[0].problem == "Small MatMul"


def test_names_that_are_not_there(store: Store, settings: RunSettings, make_attempt: MakeAttempt) -> None:
    run = store.create_run(settings)
    with pytest.raises(NotStoredError, match="no run 'nope'"):
        store.run("nope")
    with pytest.raises(NotStoredError, match="no attempt"):
        store.attempt(f"{run.id}/9")
    with pytest.raises(NotStoredError, match="RUN/NUMBER"):
        store.attempt("whatever")
    with pytest.raises(NotStoredError):
        store.set_state("nope", RunState.FINISHED, 0.0)
    with pytest.raises(NotStoredError):
        store.get_text("0" * 64)
    assert store.attempts("nope") == ()


def test_a_number_is_given_once_and_runs_must_exist(
    store: Store, settings: RunSettings, make_attempt: MakeAttempt
) -> None:
    run = store.create_run(settings)
    attempt = make_attempt(run.id, 1)
    store.add_attempt(attempt)
    with pytest.raises(StoreError, match="taken"):
        store.add_attempt(attempt)
    with pytest.raises(StoreError, match="unknown"):
        store.add_attempt(make_attempt("nope", 1))
    assert store.attempts(run.id) == (attempt,)


@given(content=st.binary(max_size=2_000))
def test_texts_come_back_bit_by_bit(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    texts = Texts(tmp_path_factory.getbasetemp() / "texts")
    assert texts.get(texts.put(content)) == content


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    texts = Texts(tmp_path / "texts")
    digest = texts.put(b"as written")
    (tmp_path / "texts" / digest[:2] / digest[2:]).write_bytes(b"as edited")
    with pytest.raises(StoreError, match="damaged"):
        texts.get(digest)
