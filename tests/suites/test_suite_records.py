"""What a results file says of a single attempt."""

from kernelwright.schema import Attempt, Problem, Run, RunSettings, RunState, Status, Verdict
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
