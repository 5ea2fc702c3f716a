"""A busy machine: differences that noise hides get more rounds, and nothing else does."""

from types import SimpleNamespace
from typing import Any

import pytest

from kernelwright.judge import statistics
from kernelwright.judge.conduct import Allowance, Conduct
from kernelwright.judge.correctness import DrawPlan
from kernelwright.judge.timing import PATIENCE, CandidateSubject, Looks, Samples, Stopwatch
from kernelwright.schema import Precision

FEW = statistics.LOOKS[0]
NOISE = (1.0, 6.0, 0.4, 3.0, 0.8, 5.0, 0.5, 2.0)


def samples(ratio: float, noise: tuple[float, ...] = NOISE, rounds: int = FEW) -> Samples:
    baseline = [ratio * noise[k % len(noise)] for k in range(rounds)]
    return Samples({"eager": baseline, "candidate": [1.0] * rounds}, {"eager": 1, "candidate": 1})


def test_a_large_difference_that_cannot_be_called_yet_is_worth_waiting_for() -> None:
    found = samples(ratio=40.0)
    assert found.ratio("eager").median > 30 and found.call("eager") == "same"
    assert found.patience(["eager"]) == PATIENCE


def test_more_rounds_then_call_it() -> None:
    found = samples(ratio=40.0, rounds=24)
    assert found.call("eager") == "faster"
    assert found.patience(["eager"]) == 1.0


def test_what_is_called_or_about_equal_is_not_worth_more() -> None:
    assert samples(ratio=40.0, noise=(1.0, 1.001)).patience(["eager"]) == 1.0
    assert samples(ratio=1.02, noise=(1.0, 1.05, 0.96)).patience(["eager"]) == 1.0


def test_before_the_first_look_nothing_can_be_said() -> None:
    assert samples(ratio=1.0, rounds=FEW - 1).patience(["eager"]) == PATIENCE


def test_baselines_among_themselves_keep_to_the_budget() -> None:
    alone = Samples({"eager": [40.0 * n for n in NOISE], "compile": [1.0] * FEW}, {"eager": 1, "compile": 1})
    assert alone.patience(["eager", "compile"]) == 1.0


class Still:
    """A reference and a candidate's process at once, whose every call takes a millisecond by its own word."""

    def ask(self, op: str, *_: object, **arguments: Any) -> dict[str, Any]:
        if op == "prepare":
            self.calls = len(arguments["slots"])
        return {"inside_ms": 1.0, "ms": [1.0] * self.calls, "kept": []} if op == "go" else {}

    def cpu_seconds(self) -> float:
        return 0.0


@pytest.mark.parametrize("enough", [FEW, 20])
def test_rounds_go_on_while_the_clocks_are_not_settled(monkeypatch: pytest.MonkeyPatch, enough: int) -> None:
    monkeypatch.setattr(Conduct, "unsettled", property(lambda self: len(self.clock) < enough))
    monkeypatch.setattr(Conduct, "judge", lambda self: None)
    still: Any = Still()
    facts = {"input_bytes": 4, "output_bytes": 4, "floating": []}
    watch = Stopwatch(still, [DrawPlan(1, "natural", facts, None)], Precision.STRICT, Allowance())
    candidate = CandidateSubject(still, SimpleNamespace(source=""), Looks(0, 0.0, 1, 0))  # type: ignore[arg-type]
    found = watch.measure(["eager"], 60.0, candidate)
    assert enough <= found.rounds
    assert found.rounds == next(look for look in statistics.LOOKS if look >= enough)
