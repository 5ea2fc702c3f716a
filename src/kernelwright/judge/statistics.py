"""Medians, ratios and their intervals; when to stop sampling; when a difference is called one.

Times are measured in pairs: a block of baseline calls, a block of candidate calls, in alternation. What slows the
device down for longer than a block slows both halves of a pair, so the ratio within a pair is looked at, and the
median over pairs. Everything here is deterministic: the same samples give the same interval.

**Intervals** are percentile bootstraps of the median (Efron 1979) on logarithms, with two corrections that widen
them. Too few pairs: half-widths are scaled by t(n − 1) / z · √(n / (n − 1)) (Hesterberg 2015, "expanded percentile"),
since resampling three pairs cannot show more than these three. Neighbours that resemble each other: by √((1 + ρ) / (1
− ρ)) for the lag-1 autocorrelation ρ, where it is positive, which is what n correlated samples are worth.

**Calls.** The 95 % interval is the honest one for one comparison looked at once: on two equal modules it lies off 1
in one case of twenty. Sampling that goes on until the interval is tight looks many times, and who compares many
candidates expects none of them to be better by luck. So a difference is *called* only at the ``LOOKS``, where a wider
interval (1 in a thousand over all looks together, Bonferroni) lies beyond ``MINIMUM_EFFECT`` as a whole; it takes the
autocorrelation for 1 / √n larger than estimated, as few pairs cannot rule that out. Below that effect two processes
that run the same code differ by where their memory happened to lie, and no number of samples would show it.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from kernelwright.schema import Interval

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

CONFIDENCE = 0.95
MINIMUM_EFFECT = 0.01
"""Ratios within 1 % of 1 are never called faster or slower."""
LOOKS: tuple[int, ...] = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Numbers of pairs after which a difference may be called, and at which sampling should pause to look."""
FAR = 0.02
_FALSE_CALLS = 0.001
_RESAMPLES = 999
_BATCHES = 64
_SEED = 20_406


class Call(StrEnum):
    """What may be said about a candidate's time against a baseline's."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    """Not told apart: equal, or too few samples for this much noise."""


def interval_of_median(samples: Sequence[float]) -> Interval:
    """The median of positive samples (milliseconds, in the order measured) with its 95 % interval.

    One sample gives an interval of no width. More than 64 are summed up in contiguous batches for the interval's width,
    which keeps it honest when neighbours resemble each other. Raises ``ValueError`` without samples.
    """
    import numpy as np

    logs = _logs(samples)
    middle = float(np.median(logs))
    if len(logs) > 2 * _BATCHES:
        batches = np.array([np.median(part) for part in np.array_split(logs, _BATCHES)])
        logs = batches + (middle - np.median(batches))
    return _interval(logs, middle, CONFIDENCE)


def paired_ratio(
    baseline_blocks: Sequence[float] | Sequence[Sequence[float]],
    candidate_blocks: Sequence[float] | Sequence[Sequence[float]],
    confidence: float = CONFIDENCE,
) -> Interval:
    """The median over pairs of baseline time / candidate time (above 1: the candidate is faster), with its interval.

    ``baseline_blocks[i]`` and ``candidate_blocks[i]`` were measured next to each other: one time each, or the times of
    all calls of the block, whose median counts. Raises ``ValueError`` where they are not of one length, or empty.
    """
    import numpy as np

    logs = _pair_logs(baseline_blocks, candidate_blocks)
    return _interval(logs, float(np.median(logs)), confidence)


def tight_enough(interval: Interval, half_width: float = 0.01) -> bool:
    """Whether the interval reaches at most ``half_width`` (relative) to either side of its median; of a ratio far from
    one, ``FAR`` for each factor of e more: nothing is decided there by a hundredth.
    """
    if interval.median <= 0:
        return False
    reach = max(interval.high - interval.median, interval.median - interval.low)
    return reach <= (half_width + FAR * abs(math.log(interval.median))) * interval.median


def call(
    baseline_blocks: Sequence[float] | Sequence[Sequence[float]],
    candidate_blocks: Sequence[float] | Sequence[Sequence[float]],
    minimum_effect: float = MINIMUM_EFFECT,
) -> Call:
    """``faster`` or ``slower`` where the pairs up to the last of ``LOOKS`` prove it, else ``same``.

    Pairs beyond that look wait for the next one, and fewer than the first look prove nothing, so that a caller who asks
    after every pair gets no more than ``len(LOOKS)`` chances.
    """
    look = max((n for n in LOOKS if n <= min(len(baseline_blocks), len(candidate_blocks))), default=None)
    if look is None:
        return Call.SAME
    import numpy as np

    logs = _pair_logs(baseline_blocks[:look], candidate_blocks[:look])
    middle, least = float(np.median(logs)), math.log1p(minimum_effect)
    if abs(middle) <= least:
        return Call.SAME
    wide = _interval(logs, middle, 1 - _FALSE_CALLS / len(LOOKS), doubt=1 / math.sqrt(look))
    if wide.low > math.exp(least):
        return Call.FASTER
    return Call.SLOWER if wide.high < math.exp(-least) else Call.SAME


def _interval(logs: "NDArray[float64]", middle: float, confidence: float, doubt: float = 0.0) -> Interval:
    """The interval around a median of logarithms, in plain numbers.

    The bootstrap gives the 95 % half-widths; other confidences scale them by their t quantiles, because the far tail
    of a bootstrap is made of the few largest samples.
    """
    import numpy as np
    from scipy.special import stdtrit

    n = len(logs)
    if n == 1:
        return Interval(median=math.exp(middle), low=math.exp(middle), high=math.exp(middle))
    picks = np.random.default_rng(_SEED).integers(0, n, size=(_RESAMPLES, n))
    low, high = np.percentile(_medians(logs[picks]), (2.5, 97.5))
    tail = (1 - confidence) / 2
    widen = float(stdtrit(n - 1, 1 - tail)) / 1.959964 * math.sqrt(n / (n - 1)) * _inflation(logs, doubt)
    return Interval(
        median=math.exp(middle),
        low=math.exp(middle - widen * max(middle - float(low), 0.0)),
        high=math.exp(middle + widen * max(float(high) - middle, 0.0)),
    )


def _medians(rows: "NDArray[float64]") -> "NDArray[float64]":
    import numpy as np

    half = rows.shape[1] // 2
    if rows.shape[1] % 2:
        return np.partition(rows, half, axis=1)[:, half]
    parts = np.partition(rows, (half - 1, half), axis=1)
    return (parts[:, half - 1] + parts[:, half]) / 2


def _inflation(logs: "NDArray[float64]", doubt: float) -> float:
    """√((1 + ρ) / (1 − ρ)) for a positive lag-1 autocorrelation, taken from signs: spikes do not count."""
    import numpy as np

    if len(logs) < 8:
        return 1.0
    signs = np.sign(logs - np.median(logs))
    # the estimate is too small by about 1/n: centring makes neighbours look opposed
    rho = float(np.dot(signs[1:], signs[:-1])) / (len(signs) - 1) + 1 / len(signs)
    rho = min(max(math.sin(math.pi / 2 * min(rho, 1.0)), 0.0) + doubt, 0.9)
    return math.sqrt((1 + rho) / (1 - rho))


def _pair_logs(
    baseline_blocks: Sequence[float] | Sequence[Sequence[float]],
    candidate_blocks: Sequence[float] | Sequence[Sequence[float]],
) -> "NDArray[float64]":
    if len(baseline_blocks) != len(candidate_blocks):
        raise ValueError(
            f"{len(baseline_blocks)} baseline blocks and {len(candidate_blocks)} candidate blocks are no pairs"
        )
    return _logs(baseline_blocks) - _logs(candidate_blocks)


def _logs(blocks: Sequence[float] | Sequence[Sequence[float]]) -> "NDArray[float64]":
    import numpy as np

    times = np.array([block if isinstance(block, int | float) else np.median(block) for block in blocks], dtype=float)
    if not len(times) or not (np.isfinite(times).all() and (times > 0).all()):
        raise ValueError("times must be positive, finite, and at least one")
    return np.log(times)
