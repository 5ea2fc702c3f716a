"""Intervals that hold what they say, and calls that are rarely wrong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge.statistics import LOOKS, Call, call, interval_of_median, paired_ratio, tight_enough
from kernelwright.schema import Interval

times = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40)


def drift(rng: np.random.Generator, n: int, rho: float, size: float) -> np.ndarray:
    walk = np.zeros(n)
    for i in range(1, n):
        walk[i] = rho * walk[i - 1] + size * rng.normal()
    return walk


def lognormal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.normal(0, 0.05, (n, 2)))


def spikes(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.normal(0, 0.01, (n, 2))) * (1 + (rng.random((n, 2)) < 0.1) * rng.exponential(1, (n, 2)))


def shared_drift(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(drift(rng, 2 * n, 0.95, 0.03)).reshape(n, 2)


def drift_of_one(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(np.stack((drift(rng, n, 0.6, 0.02), rng.normal(0, 0.01, n)), axis=1))


def two_modes(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.random((n, 2)) < 0.5, 1, 1.3) * np.exp(rng.normal(0, 0.005, (n, 2)))


NOISE = [lognormal, spikes, shared_drift, drift_of_one, two_modes]


@pytest.mark.parametrize("noise", NOISE)
def test_equal_modules_are_called_the_same(noise):
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        pairs = noise(rng, 64)
        calls = [call(pairs[:n, 0].tolist(), pairs[:n, 1].tolist()) for n in LOOKS if n <= 64]
        wrong += any(c is not Call.SAME for c in calls)
    assert wrong <= 2


@pytest.mark.parametrize("noise", [spikes, shared_drift, two_modes])
def test_a_speedup_of_five_percent_is_found(noise):
    rng = np.random.default_rng(2)
    found = [call((1.05 * p[:, 0]).tolist(), p[:, 1].tolist()) for p in (noise(rng, 128) for _ in range(20))]
    assert found.count(Call.FASTER) >= 18
    assert Call.SLOWER not in found


def test_a_slowdown_is_found_from_the_first_look():
    rng = np.random.default_rng(3)
    base = np.exp(rng.normal(0, 0.005, 8))
    assert call(base.tolist(), (1.2 * base).tolist()) is Call.SLOWER
    assert call((1.2 * base).tolist(), base.tolist()) is Call.FASTER
    assert call((1.2 * base[:7]).tolist(), base[:7].tolist()) is Call.SAME


def test_nothing_below_the_minimum_effect_is_called():
    base = [1.0] * 64
    assert call([1.009] * 64, base) is Call.SAME
    assert call([1.011] * 64, base) is Call.FASTER
    assert call([1.05] * 64, base, minimum_effect=0.1) is Call.SAME


def test_pairs_between_looks_wait_for_the_next():
    assert call([1.1] * 8 + [0.5] * 3, [1.0] * 11) is Call.FASTER
    assert call([1.1] * 8 + [0.5] * 4, [1.0] * 12) is Call.SAME


@pytest.mark.parametrize("noise", [lognormal, spikes, shared_drift, two_modes])
@pytest.mark.parametrize("pairs", [5, 8, 16, 48])
def test_the_interval_holds_the_true_ratio_in_95_percent(noise, pairs):
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(200):
        blocks = noise(rng, pairs)
        interval = paired_ratio((2 * blocks[:, 0]).tolist(), blocks[:, 1].tolist())
        inside += interval.low <= 2 <= interval.high
    assert inside >= 180


@given(times)
def test_the_interval_surrounds_the_median_and_repeats(samples):
    interval = interval_of_median(samples)
    assert interval.low <= interval.median <= interval.high
    assert interval.median == pytest.approx(math.exp(np.median(np.log(samples))))
    assert interval_of_median(samples) == interval


@given(times, st.integers(-20, 20))
def test_the_interval_scales_with_the_unit(samples, power):
    plain, scaled = interval_of_median(samples), interval_of_median([s * 2.0**power for s in samples])
    assert scaled.low == pytest.approx(plain.low * 2.0**power, rel=1e-9)
    assert scaled.high == pytest.approx(plain.high * 2.0**power, rel=1e-9)


@given(times, st.floats(0.1, 10))
def test_a_module_against_itself_times_a_factor(samples, factor):
    interval = paired_ratio([s * factor for s in samples], samples)
    assert (interval.low, interval.median, interval.high) == pytest.approx((factor, factor, factor), rel=1e-6)


def test_blocks_of_calls_count_by_their_median():
    blocks = [[1.0, 1.1, 9.0], [2.0, 2.2, 2.4]]
    assert paired_ratio(blocks, [1.1, 2.2]).median == pytest.approx(1.0)


def test_neighbours_that_resemble_each_other_widen_the_interval():
    rng = np.random.default_rng(5)
    walk = np.exp(drift(rng, 64, 0.9, 0.02))
    shuffled = rng.permutation(walk)
    width = [i.high - i.low for i in map(interval_of_median, (walk.tolist(), shuffled.tolist()))]
    assert width[0] > 1.5 * width[1]


def test_many_samples_are_summed_up_in_batches():
    samples = np.exp(np.random.default_rng(6).normal(0, 0.02, 5000))
    interval = interval_of_median(samples.tolist())
    assert interval.median == pytest.approx(np.median(samples))
    assert 0.0005 < interval.high - interval.low < 0.003


def test_tight_enough_looks_at_the_farther_end():
    assert tight_enough(Interval(median=2.0, low=1.99, high=2.01))
    assert not tight_enough(Interval(median=2.0, low=1.99, high=2.05))
    assert tight_enough(Interval(median=2.0, low=1.99, high=2.05), half_width=0.03)


@given(st.floats(0.01, 100.0), st.floats(0.0, 0.2))
def test_ratios_far_from_one_may_be_less_tight_than_those_near_it(median, reach):
    def tight(of):
        return tight_enough(Interval(median=of, low=of * (1 - reach), high=of * (1 + reach)))

    assert tight(median) == (reach <= 0.01 + 0.02 * abs(math.log(median))) or math.isclose(
        reach, 0.01 + 0.02 * abs(math.log(median))
    )
    assert tight(median) or not tight(1.0)


@pytest.mark.parametrize("bad", [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([math.nan], [1.0])])
def test_samples_that_say_nothing_raise(bad):
    with pytest.raises(ValueError, match=r"pairs|positive"):
        paired_ratio(*bad)
