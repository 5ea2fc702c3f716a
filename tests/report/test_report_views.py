"""What people see: every part of a record that is there is shown, and nothing fails where it is not."""

import io
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from kernelwright.report import (
    LinesObserver,
    LiveObserver,
    attempt_view,
    diff_to_reference,
    export_svg,
    live_table,
    result_table,
    run_view,
    runs_table,
    verdict_view,
    words,
)
from kernelwright.schema import (
    Accuracy,
    Attempt,
    BaselineTiming,
    Budget,
    Candidate,
    Interval,
    Limits,
    Outcome,
    Precision,
    Problem,
    Run,
    RunSettings,
    RunState,
    Speedup,
    Status,
    Timing,
    Verdict,
)
from kernelwright.store import RunSummary


def iv(median: float) -> Interval:
    return Interval(median=median, low=median * 0.9, high=median * 1.1)


BASELINES = (
    BaselineTiming(name="eager", ms=iv(2.0)),
    BaselineTiming(name="compile-max-autotune", ms=iv(1.5)),
    BaselineTiming(name="onnxruntime", failure="no operator for [odd] thing"),
)
FAST = Speedup(eager=iv(2.0), best_baseline=iv(1.5), best_baseline_name="compile-max-autotune")
GOOD = Verdict(
    status=Status.CORRECT,
    device="paper [cpu]",
    accuracy=Accuracy(
        candidate_norm=1.5e-7,
        candidate_worst=float("nan"),
        eager_norm=0.0,
        eager_worst=2e-6,
        draws=3,
        stress_draws=4,
        passes={Precision.STRICT: True, Precision.GIMLET: False},
    ),
    speedup=FAST,
    timing=Timing(candidate_ms=iv(1.0), baselines=BASELINES, blocks=8, calls=64, rechecked=4),
    limits=Limits(
        bytes_moved=2_000_000, flops=3_000_000_000, byte_floor_ms=0.5, work_floor_ms=1.2, byte_share=0.5, less_work=True
    ),
    labels=("less_work",),
    problem_labels=("constant_output",),
    warnings=("look [here]",),
    artifacts={"output_code.py": "x = 1\n"},
    seconds={"total": 75.0},
)
BAD = Verdict(status=Status.MISMATCH, rule="values", feedback="largest error at [0, 1]")
PROBLEM = Problem(name="relu", format="kernelbench", source="a = 1\nb = 2\n", path="relu.py")
SETTINGS = RunSettings(problem=PROBLEM, authors=("a", "b"), budget=Budget(attempts=9, seconds=300.0))
OUTCOME = Outcome(winner="attempt", attempt=1, speedup=FAST, baselines=BASELINES, problem_labels=("constant_output",))
RUN = Run(id="20260101-relu-0000", created="now", state=RunState.FINISHED, settings=SETTINGS, outcome=OUTCOME)


def attempt(number: int, verdict: Verdict, source: str | None = "a = 1\nb = 3\n") -> Attempt:
    candidate = None if source is None else Candidate(source=source, author="a", title="one [pass]", explanation="why")
    return Attempt(run=RUN.id, number=number, author="a", candidate=candidate, verdict=verdict, created="now")


ATTEMPTS = [attempt(1, GOOD), attempt(2, BAD), attempt(3, Verdict(status=Status.GENERATION_FAILED), None)]


def shown(renderable: RenderableType, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def assert_all(text: str, *parts: str) -> None:
    missing = [part for part in parts if part not in text]
    assert not missing, f"{missing} not in\n{text}"


def test_a_verdict_in_full() -> None:
    text = shown(verdict_view(GOOD, "relu"))
    assert_all(text, "correct", "paper [cpu]", "2.00×", "1.50×", "vs torch.compile max-autotune", "1.50e-07", "nan")
    assert_all(text, "strict yes", "gimlet no", "3 draws, 4 stress draws", "8 paired blocks, 64 calls, 4 re-checked")
    assert_all(
        text, "no operator for [odd] thing", "2 MB to move", "3 GFLOP", "50 %", "less work", "look [here]", "1:15"
    )


def test_a_verdict_with_nothing_but_a_status() -> None:
    assert_all(shown(verdict_view(BAD)), "mismatch values", "largest error at [0, 1]")
    assert "none" in shown(verdict_view(Verdict(status=Status.TIMED_OUT)))


def test_the_live_table() -> None:
    text = shown(live_table(RUN, ATTEMPTS, BASELINES, elapsed=65.0, doing="attempt 4: b", best=ATTEMPTS[0]))
    assert_all(text, "relu", "one [pass]", "mismatch values", "generation_failed", "best so far", "attempt 1 by a")
    assert_all(text, "1:05 of 5:00 · 3 of 9 attempts", "attempt 4: b", "torch.compile max-autotune 1.5 ms")
    empty = shown(live_table(RUN, [], (), elapsed=0.0, doing="timing the baselines", best=None))
    assert_all(empty, "timing the baselines", "0 of 9 attempts")


def test_results_say_what_won_and_what_stays() -> None:
    stays = Outcome(winner="compile", speedup=Speedup(eager=iv(1.3), best_baseline=iv(1.0)), baselines=BASELINES)
    unfinished = RUN.model_copy(update={"outcome": None})
    text = shown(
        result_table([(RUN, ATTEMPTS[0]), (RUN.model_copy(update={"outcome": stays}), None), (unfinished, None)])
    )
    assert_all(text, "a: one [pass]", "torch.compile stays", "eager stays", "2 ms → 1 ms")


def test_runs_and_one_run() -> None:
    summary = RunSummary(
        id=RUN.id,
        created="now",
        state=RunState.INTERRUPTED,
        problem="relu",
        platform="cpu",
        attempts=3,
        elapsed_seconds=1.0,
        outcome=None,
    )
    won = summary.model_copy(update={"outcome": OUTCOME, "state": RunState.FINISHED})
    assert_all(shown(runs_table([summary, won])), RUN.id, "interrupted", "finished", "attempt 1", "1.50×")
    assert_all(shown(run_view(RUN, ATTEMPTS)), RUN.id, "relu.py", "a, b", "of 5:00", "a: one [pass]", "constant_output")


def test_an_attempt_and_its_diff() -> None:
    text = shown(attempt_view(PROBLEM, ATTEMPTS[0]))
    assert_all(text, "one [pass]", "why", "output_code.py", "b = 3", "-b = 2", "+b = 3")
    diff = diff_to_reference(PROBLEM, ATTEMPTS[0]).splitlines()
    assert diff[:2] == ["--- relu (reference)", f"+++ {RUN.id}/1"]
    assert {"-b = 2", "+b = 3", " a = 1"} <= set(diff)
    without = PROBLEM.model_copy(update={"source": ""})
    assert diff_to_reference(without, ATTEMPTS[0]) == ""
    assert "no diff" in shown(attempt_view(without, ATTEMPTS[0]))
    assert "generation_failed" in shown(attempt_view(PROBLEM, ATTEMPTS[2]))


def test_a_picture(tmp_path: Path) -> None:
    export_svg([result_table([(RUN, ATTEMPTS[0])])], tmp_path / "demo.svg", "kernelwright optimize relu.py")
    picture = (tmp_path / "demo.svg").read_text()
    assert picture.startswith("<svg")
    assert "kernelwright" in picture
    assert "1.50" in picture


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 ms"),
        (0.0634, "63 ms"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1:00"),
        (125.4, "2:05"),
        (3725, "1:02:05"),
    ],
)
def test_times_are_short(seconds: float, said: str) -> None:
    assert words.seconds(seconds) == said


def test_plain_lines() -> None:
    out = io.StringIO()
    observer = LinesObserver(out)
    observer.run_started(RUN, ())
    observer.baselines_timed(BASELINES)
    for tried in ATTEMPTS:
        observer.attempt_started(tried.number, tried.author)
        observer.attempt_finished(tried, ATTEMPTS[0])
    observer.author_finished("a", "nothing more to offer")
    observer.run_finished(RUN)
    lines = out.getvalue().splitlines()
    assert lines[0] == "relu: run 20260101-relu-0000"
    assert lines[1] == "  baseline eager: 2 ms"
    assert lines[3] == "  baseline ONNX Runtime: failed: no operator for [odd] thing"
    assert lines[4].startswith("  1 a · one [pass] · correct · 2.00× (1.80–2.20) vs eager · 1.50×")
    assert lines[4].endswith("best so far")
    assert lines[5] == "  2 a · one [pass] · mismatch · values"
    assert lines[-1] == "  winner: attempt 1 after 0 ms"


def test_the_live_view_follows_a_run() -> None:
    out = io.StringIO()
    observer = LiveObserver(Console(file=out, width=140, force_terminal=True, color_system=None))
    observer.run_started(RUN, (ATTEMPTS[1],))
    observer.baselines_timed(BASELINES)
    observer.attempt_started(1, "a")
    observer.attempt_finished(ATTEMPTS[0], ATTEMPTS[0])
    observer.author_finished("a", "nothing more to offer")
    observer.run_finished(RUN)
    last = out.getvalue().split(RUN.id)[-1]
    assert_all(last, "one [pass]", "attempt 1 by a", "done")
    observer.close()  # a second time does no harm
