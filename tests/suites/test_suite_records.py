"""What a results file says of a single attempt."""

from pathlib import Path

import pytest

from kernelwright.judge import JudgeSettings
from kernelwright.schema import Attempt, Budget, Problem, Run, RunSettings, RunState, Status, Verdict
from kernelwright.suites import child
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.recording import END, of_run


def why(verdict: Verdict) -> str:
    problem = Problem(name="p", format="kernelbench")
    attempt = Attempt(run="r", number=1, author="rewriter", candidate=None, verdict=verdict, created="")
    run = Run(id="r", created="", state=RunState.FINISHED, settings=RunSettings(problem=problem))
    return of_run(Found(1, 1, problem), run, (attempt,)).attempts[0].why


def test_what_is_wrong_with_an_attempt_is_one_line() -> None:
    text = "the kernel failed:\n  File x.py\n    RuntimeError: out of luck\n"
    assert why(Verdict(status=Status.RUNTIME_FAILED, feedback=text)) == (
        "the kernel failed: File x.py RuntimeError: out of luck"
    )
    assert why(Verdict(status=Status.CORRECT, feedback="Correct.")) == ""


def test_of_a_long_text_both_ends_are_kept() -> None:
    text = "what is wrong\n" + "a line of the traceback\n" * 90 + "RuntimeError: out of luck\n"
    found = why(Verdict(status=Status.RUNTIME_FAILED, feedback=text))
    assert found.startswith("what is wrong a line")
    assert found.endswith("a line of the traceback RuntimeError: out of luck")
    assert len(found) == 2 * END + len(" … ")


@pytest.mark.parametrize(
    ("budget", "seconds", "elapsed", "kept", "cut_short"),
    [
        (Budget(attempts=8), None, 90.0, None, False),
        (Budget(attempts=8), 60.0, 90.0, 60.0, True),
        (Budget(attempts=8), 60.0, 30.0, 60.0, False),
        (Budget(attempts=8), 0.0, 30.0, 0.0, True),
        (Budget(seconds=50.0), 60.0, 90.0, 50.0, False),
        (Budget(seconds=70.0), 60.0, 65.0, 60.0, True),
    ],
)
def test_no_attempt_begins_after_the_suites_time_is_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    budget: Budget,
    seconds: float | None,
    elapsed: float,
    kept: float | None,
    cut_short: bool,
) -> None:
    """A run ends by its own budget in seconds; a record says where the suite's time ended it before."""
    given = RunSettings(problem=Problem(name="p", format="kernelbench"), budget=budget)

    def start_run(settings: RunSettings, *_: object, **__: object) -> Run:
        assert settings.budget == budget.model_copy(update={"seconds": kept})
        return Run(id="r", created="", state=RunState.FINISHED, settings=settings, elapsed_seconds=elapsed)

    monkeypatch.setattr(child, "start_run", start_run)
    monkeypatch.setattr(child.Store, "attempts", lambda *_: ())
    job = child.Job(
        level=1, number=1, run=given, judge=JudgeSettings(), unsafe=False, seconds=seconds, store=str(tmp_path / "s"),
        result=str(tmp_path / "r.json"),
    )  # fmt: skip
    assert child.work(job).cut_short is cut_short
