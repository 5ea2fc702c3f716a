"""How an author's own Attempts compare: which one is its best, and what each change gained.

Timed Attempts are compared by their ratios against eager, which the judge measured in turns with each of them, so that
a machine that was busier in between does not count. Metal that was checked without an Apple GPU is compared by modelled
time, and by bytes of device memory where the model sees no difference, as a run compares it. Imports no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.schema import Advice, Attempt, Interval, MetalWork


@dataclass(frozen=True, slots=True)
class Gain:
    """The time (or modelled time) of one Attempt over another's: above 1 means that the other one is faster."""

    ratio: Interval
    measured: bool
    """Or else counted: the interval is then a point."""

    @property
    def faster(self) -> bool:
        """Beyond noise."""
        return self.ratio.low > 1.0

    @property
    def slower(self) -> bool:
        return self.ratio.high < 1.0


def works(attempt: Attempt) -> bool:
    """Correct, and a kernel of its target: Metal that launches none is PyTorch by another name."""
    return attempt.verdict.ok and attempt.candidate is not None and "launches_no_kernel" not in attempt.verdict.labels


def best(history: Sequence[Attempt], advice: Advice | None = None) -> Attempt | None:
    """The Attempt to set out from: the last one that was faster, beyond noise, than the best before it.

    Of those that noise does not tell apart the first stands, unless ``advice`` is about another one of them.
    """
    chosen: Attempt | None = None
    working = [attempt for attempt in history if works(attempt)]
    for attempt in working:
        if chosen is None or _beats(attempt, chosen):
            chosen = attempt
    advised = next((a for a in working if advice is not None and a.number == advice.about), None)
    return advised if chosen is not None and advised is not None and not _beats(chosen, advised) else chosen


def gain(new: Attempt, old: Attempt) -> Gain | None:
    """What ``new`` gained over ``old``; ``None`` where nothing of them can be compared.

    The interval of the ratio of two measured ratios is Zou's and Donner's MOVER on the logarithms ("Construction of
    confidence limits about effect measures", Statistics in Medicine 27, 2008), which takes them to be independent.
    """
    if new.verdict.speedup.eager is not None and old.verdict.speedup.eager is not None:
        return Gain(_ratio(new.verdict.speedup.eager, old.verdict.speedup.eager), measured=True)
    if new.verdict.timing is not None and old.verdict.timing is not None:
        return Gain(_ratio(old.verdict.timing.candidate_ms, new.verdict.timing.candidate_ms), measured=True)
    ours, theirs = new.verdict.metal, old.verdict.metal
    if ours is None or theirs is None:
        return None
    for mine, other in ((modelled_ms(ours), modelled_ms(theirs)), (ours.device_bytes, theirs.device_bytes)):
        if mine > 0 and other > 0 and mine != other:
            return Gain(_point(other / mine), measured=False)
    return Gain(_point(1.0), measured=False)


def modelled_ms(work: MetalWork) -> float:
    """Milliseconds, summed over the GPUs of the model; 0 where it says nothing."""
    return sum(time.ms for time in work.modelled)


def failures_in_a_row(history: Sequence[Attempt]) -> int:
    """How many of the last Attempts do not work."""
    count = 0
    for attempt in reversed(history):
        if works(attempt):
            break
        count += 1
    return count


def _beats(new: Attempt, old: Attempt) -> bool:
    found = gain(new, old)
    return found is not None and found.faster


def _point(value: float) -> Interval:
    return Interval(median=value, low=value, high=value)


def _ratio(over: Interval, under: Interval) -> Interval:
    median = over.median / under.median
    below = math.hypot(math.log(over.median / over.low), math.log(under.high / under.median))
    above = math.hypot(math.log(over.high / over.median), math.log(under.median / under.low))
    return Interval(median=median, low=median * math.exp(-below), high=median * math.exp(above))
