"""How good the predictions were: each recommendation against the attempt that followed it.

A prediction has two parts. *Confidence* is the probability that the next attempt is faster than its base beyond noise;
it is scored by the Brier score (Monthly Weather Review 78(1), 1950), the mean squared difference to what happened: 0 is
perfect, 0.25 is what saying "a half" always gets. *Expected gain* is scored by the logarithm of its ratio to the gain
observed, so that a promise of twice the truth weighs as much as one of half of it. Intervals are percentile bootstraps
over predictions.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kernelwright.schema import Advice, Attempt, Interval, MetalWork

MINIMUM_EFFECT = 0.01
"""Gains within 1 % are never called faster, as in the judge's own calls."""
_RESAMPLES = 999
_SEED = 20_406


@dataclass(frozen=True)
class Prediction:
    """One recommendation and what came of it."""

    run: str
    attempt: int
    analyst: str
    confidence: float
    expected_gain: float
    faster: bool
    """Correct, and faster than its base beyond noise."""
    gain: float | None
    """The base's time over the attempt's; ``None`` where the attempt is not correct."""

    @property
    def brier(self) -> float:
        return (self.confidence - self.faster) ** 2

    @property
    def log_ratio(self) -> float | None:
        """ln(expected / observed): above 0 more was promised than came."""
        return None if self.gain is None else math.log(self.expected_gain / self.gain)


@dataclass(frozen=True)
class Score:
    """All predictions of one analyst."""

    analyst: str
    predictions: int
    faster: int
    """How many attempts were faster than their base beyond noise."""
    brier: Interval
    """``median`` is the mean over the predictions."""
    brier_of_rate: float
    """What always saying the rate at which attempts were faster would get: a lower ``brier`` knows more than that."""
    log_error: Interval | None
    """Mean of \\|ln(expected / observed)\\| over correct attempts: 0.69 is off by a factor of two."""
    log_bias: Interval | None
    """Mean of ln(expected / observed): above 0 the analyst promises too much."""


def predictions(
    attempts: Sequence[Attempt], advice: Iterable[Advice] = (), analyst: str = "rules"
) -> tuple[Prediction, ...]:
    """Of one run: every attempt that was made on a recommendation and whose base is known and comparable.

    ``analyst`` is named where no advice about the base is stored. An attempt is left out where its base was not timed
    (or, for Metal, not counted) as it was.
    """
    by_number = {attempt.number: attempt for attempt in attempts}
    who: Mapping[int, str] = {each.about: each.analyst for each in advice}
    found: list[Prediction] = []
    for attempt in attempts:
        base = by_number.get(attempt.base) if attempt.base is not None else None
        if attempt.recommendation is None or base is None:
            continue
        outcome = compare(base, attempt)
        if outcome is None:
            continue
        found.append(
            Prediction(
                run=attempt.run,
                attempt=attempt.number,
                analyst=who.get(base.number, analyst),
                confidence=attempt.recommendation.confidence,
                expected_gain=attempt.recommendation.expected_gain,
                faster=outcome[0],
                gain=outcome[1],
            )
        )
    return tuple(found)


def compare(base: Attempt, attempt: Attempt) -> tuple[bool, float | None] | None:
    """Whether the attempt is faster than its base beyond noise, and by what factor.

    Both were timed beside eager, in pairs: the ratio of their ratios is free of the machine's drift between them. Their
    95 % intervals are independent, so half-widths add as squares. Counted Metal work is compared by modelled time,
    which has no noise. ``None``: nothing to compare.
    """
    if not attempt.verdict.ok:
        return False, None
    mine, theirs = attempt.verdict.speedup.eager, base.verdict.speedup.eager
    if mine is not None and theirs is not None:
        gain = math.log(mine.median / theirs.median)
        doubt = math.hypot(math.log(mine.median / mine.low), math.log(theirs.high / theirs.median))
        return gain - doubt > math.log1p(MINIMUM_EFFECT), math.exp(gain)
    counted = _counted_gain(base.verdict.metal, attempt.verdict.metal)
    return None if counted is None else (counted > 1 + MINIMUM_EFFECT, counted)


def _counted_gain(base: MetalWork | None, attempt: MetalWork | None) -> float | None:
    if base is None or attempt is None:
        return None
    before, after = ({time.gpu: time.ms for time in work.modelled if time.ms > 0} for work in (base, attempt))
    common = before.keys() & after.keys()
    if not common:
        return None
    return math.exp(sum(math.log(before[gpu] / after[gpu]) for gpu in common) / len(common))


def scores(found: Iterable[Prediction]) -> tuple[Score, ...]:
    """By analyst, in the order of their names."""
    by_analyst: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in found:
        by_analyst[prediction.analyst].append(prediction)
    return tuple(_score(name, by_analyst[name]) for name in sorted(by_analyst))


def _score(analyst: str, found: Sequence[Prediction]) -> Score:
    ratios = [ratio for prediction in found if (ratio := prediction.log_ratio) is not None]
    rate = sum(prediction.faster for prediction in found) / len(found)
    return Score(
        analyst=analyst,
        predictions=len(found),
        faster=sum(prediction.faster for prediction in found),
        brier=_mean([prediction.brier for prediction in found]),
        brier_of_rate=rate * (1 - rate),
        log_error=_mean([abs(ratio) for ratio in ratios]) if ratios else None,
        log_bias=_mean(ratios) if ratios else None,
    )


def _mean(values: Sequence[float]) -> Interval:
    """The mean with its 95 % percentile bootstrap; one value gives an interval of no width."""
    import numpy as np

    data = np.asarray(values, dtype=float)
    picks = np.random.default_rng(_SEED).integers(0, len(data), size=(_RESAMPLES, len(data)))
    low, high = np.percentile(data[picks].mean(axis=1), (2.5, 97.5))
    mean = float(data.mean())
    return Interval(median=mean, low=min(float(low), mean), high=max(float(high), mean))


def describe(score: Score) -> str:
    """One line: ``rules: 12 predictions, 7 came true; Brier 0.21 (0.15–0.28), …``."""

    def shown(interval: Interval | None, form: Callable[[float], str]) -> str:
        return "–" if interval is None else f"{form(interval.median)} ({form(interval.low)}–{form(interval.high)})"

    return (
        f"{score.analyst}: {score.predictions} predictions, {score.faster} attempts faster beyond noise; "
        f"Brier {shown(score.brier, '{:.3f}'.format)} against {score.brier_of_rate:.3f} of the plain rate; "
        f"gain off by a factor of {shown(score.log_error, lambda x: f'{math.exp(x):.2f}')}, "
        f"promised {shown(score.log_bias, lambda x: f'{math.exp(x):.2f}')} × what came"
    )
