"""Predictions held against what came of them."""

import math

import pytest

from kernelwright.analysis.score import Prediction, compare, describe, predictions, scores
from kernelwright.report.predictions import scores_table
from kernelwright.schema import Advice, Attempt, Bottleneck, Interval, Recommendation, Speedup, Status, Verdict
from kernelwright.schema.metal import MetalWork, ModelledTime


def verdict(eager: float | None, width: float = 0.02, status: Status = Status.CORRECT, metal: float | None = None):
    interval = None if eager is None else Interval(median=eager, low=eager * (1 - width), high=eager * (1 + width))
    work = None if metal is None else MetalWork(
        note="", kernels=(), device_bytes=0, distinct_device_bytes=0, flops=0, arithmetic_intensity=None,
        modelled=(ModelledTime(gpu="M1", ms=metal, bound="bandwidth"),),
    )  # fmt: skip
    return Verdict(status=status, speedup=Speedup(eager=interval), metal=work)


def attempt(
    number: int, found: Verdict, base: int | None = None, gain: float = 1.5, confidence: float = 0.5
) -> Attempt:
    advised = Recommendation(bottleneck=Bottleneck.MEMORY, change="x", expected_gain=gain, confidence=confidence)
    return Attempt(
        run="r", number=number, author="a", candidate=None, verdict=found, created="", base=base,
        recommendation=advised if base is not None else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("base", "after", "expected"),
    [
        (verdict(1.0), verdict(1.5), (True, 1.5)),
        (verdict(1.0), verdict(1.02), (False, 1.02)),
        (verdict(1.0, width=0.3), verdict(1.2, width=0.3), (False, 1.2)),
        (verdict(2.0), verdict(1.0), (False, 0.5)),
        (verdict(1.0), verdict(None, status=Status.MISMATCH), (False, None)),
        (verdict(None, metal=4.0), verdict(None, metal=2.0), (True, 2.0)),
        (verdict(None, metal=4.0), verdict(None, metal=4.0), (False, 1.0)),
        (verdict(None), verdict(1.5), None),
        (verdict(None, metal=0.0), verdict(None, metal=1.0), None),
    ],
)
def test_faster_than_its_base_beyond_noise(base, after, expected) -> None:
    found = compare(attempt(1, base), attempt(2, after, base=1))
    assert (found is None) == (expected is None)
    if expected is not None and found is not None:
        assert found[0] is expected[0]
        assert found[1] == (None if expected[1] is None else pytest.approx(expected[1]))


def test_every_attempt_that_followed_a_recommendation_is_a_prediction_of_its_analyst() -> None:
    run = [
        attempt(1, verdict(1.0)),
        attempt(2, verdict(1.5), base=1, gain=3.0, confidence=0.9),
        attempt(3, verdict(None, status=Status.CRASHED), base=2, confidence=0.2),
        attempt(4, verdict(1.1), base=9),
        attempt(5, verdict(1.1)),
    ]
    found = predictions(run, [Advice(about=1, analyst="openai:x")], analyst="rules")
    assert [(p.attempt, p.analyst, p.faster) for p in found] == [(2, "openai:x", True), (3, "rules", False)]
    assert found[0].brier == pytest.approx(0.01) and found[0].log_ratio == pytest.approx(math.log(2))
    assert found[1].brier == pytest.approx(0.04) and found[1].log_ratio is None


def made(analyst: str, confidence: float, faster: bool, expected: float = 2.0, gain: float | None = 1.0) -> Prediction:
    return Prediction("r", 1, analyst, confidence, expected, faster, gain)


def test_scores_by_analyst_with_intervals() -> None:
    sure = [made("b", 1.0, True)] * 30 + [made("b", 0.0, False)] * 10
    half = [made("a", 0.5, n % 2 == 0, gain=None if n % 3 else 4.0) for n in range(40)]
    first, second = scores([*sure, *half])
    assert (first.analyst, second.analyst) == ("a", "b")
    assert (second.predictions, second.faster, second.brier) == (40, 30, Interval(median=0.0, low=0.0, high=0.0))
    assert second.brier_of_rate == pytest.approx(0.75 * 0.25)
    assert second.log_error is not None and second.log_error.median == pytest.approx(math.log(2))
    assert first.brier.median == pytest.approx(0.25)
    assert first.log_bias is not None and first.log_bias.median == pytest.approx(-math.log(2))


def test_the_interval_narrows_with_more_predictions_and_holds_the_mean() -> None:
    mixed = [made("a", 0.9, n % 3 > 0) for n in range(12)]
    (few,), (many,) = scores(mixed), scores(mixed * 20)
    assert few.brier.low < few.brier.median < few.brier.high
    assert many.brier.median == pytest.approx(few.brier.median)
    assert many.brier.high - many.brier.low < (few.brier.high - few.brier.low) / 3
    assert scores(mixed) == scores(mixed)


def test_scores_are_shown_in_a_line_and_in_a_table() -> None:
    (score,) = scores([made("rules", 0.5, True), made("rules", 0.5, False, gain=None)])
    line = describe(score)
    assert line.startswith("rules: 2 predictions, 1 attempts faster") and "0.250" in line and "2.00" in line
    table = scores_table([score, *scores([made("x", 0.5, False, gain=None)])])
    assert table.row_count == 2 and list(table.columns[5].cells) == ["2.00× (2.00–2.00)", "–"]
    assert scores([]) == ()
