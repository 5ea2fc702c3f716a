"""Can a candidate's time stamps be believed? Evidence from the judge's own clock, round by round.

The stamps are taken inside the candidate's process, so they are worth what other clocks confirm:

*clock*       time that passed outside the stamped calls of a block, against the same time of a baseline's block
*hand-over*   time to hand over outputs of timed calls afterwards: work that was put off until somebody looks shows here
*background*  CPU time that the candidate's processes use while a baseline is being timed
"""

import math
import statistics
from dataclasses import dataclass, field

from kernelwright.judge.findings import stop
from kernelwright.schema import Status

CLOCK_SHARE = 0.05
"""How much of a block's stamped time may pass outside the stamps, beyond what passes there for a baseline."""
HAND_OVER_SHARE = 0.5
"""How much of a call's time the hand-over of its output may take, beyond a baseline's hand-over."""
HAND_OVER_NOISE = 0.5
"""Share of a baseline's hand-over by which two equal ones may differ."""
BACKGROUND_SHARE = 0.10
"""CPU time while a baseline runs, as a share of that time: thread pools spin for a moment after their last work."""
BACKGROUND_SECONDS = 0.05
MESSAGE_MS = 1.0
"""A message between the processes, and whatever else the system runs first; milliseconds."""
ENOUGH = 8
"""Blocks that settle the matter. Of fewer, each must show so much more: on a busy machine one block shows anything."""
BUSY_MS = 2.0
"""Where less than this is allowed, other work on the machine exceeds it in every other block: in three quarters of 8
blocks by bad luck in one of seven candidates (seen: 7 of 190 that were timed beside nine others)."""
ENOUGH_SHORT = 32
"""Blocks that settle it there: in three quarters of so many, luck alone exceeds it in one of 285 at the most."""


@dataclass(frozen=True)
class Allowance:
    """What may differ between two equal blocks on one platform, outside of the stamps."""

    per_block_ms: float = MESSAGE_MS
    """Once for each block."""
    noise: float = 0.5
    """As a share of a baseline's unstamped time: on a CPU memory is given back there."""
    per_call_ms: float = 0.0
    """For each call, milliseconds: what recording the stamps themselves costs."""
    share: float = CLOCK_SHARE
    """Of the block's stamped time."""


ALLOWANCES = {"cpu": Allowance(), "cuda": Allowance(0.25, 0.15, 0.004), "mps": Allowance(per_call_ms=0.5)}
"""On an NVIDIA GPU the device is idle before each call, so that all of a call's launches lie between its stamps. On
Apple's, events are coarser; not yet run on hardware."""


def _mostly(values: list[float], enough: int = ENOUGH) -> float:
    """What three quarters of the values exceed: an honest candidate may be unlucky in some blocks, a cheat never is."""
    return sorted(values)[len(values) // 4] * min(1.0, len(values) / enough) if values else 0.0


@dataclass
class Conduct:
    """What was seen of one candidate while it was timed. Excesses are in units of what is allowed."""

    allowance: Allowance = Allowance()
    clock: list[float] = field(default_factory=list[float])
    allowed: list[float] = field(default_factory=list[float])
    """Milliseconds, for each block of ``clock``."""
    out_of_time: bool = False
    """There can be no more blocks, though they might have told: who takes the time away gains nothing by it."""
    hand_over: list[float] = field(default_factory=list[float])
    fastest: tuple[float, float] = (math.inf, math.inf)
    """Hand-overs of one output, the candidate's and a baseline's: what other work on the machine does not touch."""
    allowed_at_least: float = 0.0
    """For the fastest ones."""
    background_seconds: float = 0.0
    baseline_seconds: float = 0.0

    def saw_block(self, calls: int, stamped: float, unstamped: float, baseline_per_call: float) -> None:
        """A block of the candidate, and a baseline's unstamped time per call in the same round; milliseconds."""
        baseline = calls * max(0.0, baseline_per_call)
        noise = self.allowance.noise * baseline + self.allowance.per_call_ms * calls
        allowed = self.allowance.per_block_ms + self.allowance.share * stamped + noise
        self.clock.append((unstamped - baseline) / allowed)
        self.allowed.append(allowed)

    def saw_hand_over(self, outputs: int, mine: float, baseline: float, per_call: float) -> None:
        """Milliseconds per output that was handed over, the candidate's and a baseline's; ``per_call`` as stamped."""
        least = HAND_OVER_SHARE * per_call + MESSAGE_MS / outputs
        self.hand_over.append((mine - baseline) / (least + HAND_OVER_NOISE * baseline))
        self.fastest = min(self.fastest[0], mine), min(self.fastest[1], baseline)
        self.allowed_at_least = max(self.allowed_at_least, least)

    def saw_background(self, cpu_seconds: float, wall_seconds: float) -> None:
        """CPU time the candidate used while a baseline's block took ``wall_seconds``."""
        self.background_seconds += cpu_seconds
        self.baseline_seconds += wall_seconds

    @property
    def _fastest_hand_over(self) -> float:
        """A baseline that others hold up must not make room for a candidate that works then."""
        if len(self.hand_over) < ENOUGH:
            return 0.0
        mine, baseline = self.fastest
        return (mine - baseline) / (self.allowed_at_least + HAND_OVER_NOISE * baseline)

    @property
    def _enough(self) -> int:
        short = statistics.median(self.allowed or [0.0]) < BUSY_MS
        return ENOUGH_SHORT if short and not self.out_of_time else ENOUGH

    @property
    def unsettled(self) -> bool:
        """Whether the clocks disagree so far, and more blocks would tell if it was bad luck."""
        return _mostly(self.clock, self._enough) <= 1.0 < _mostly(self.clock, 1)

    def judge(self) -> None:
        """Raises ``Stopped`` when most of the evidence says that work was hidden."""
        if _mostly(self.clock, self._enough) > 1.0:
            hidden = statistics.median(excess * ms for excess, ms in zip(self.clock, self.allowed, strict=True))
            raise stop(
                Status.REJECTED, "clock_disagreement",
                f"the time stamps of the calls leave out time that passed on the judge's clock, {hidden:.2f} ms a "
                f"block more than a baseline's in {len(self.clock)} blocks, where {statistics.median(self.allowed):.2f}"
                " ms are allowed: work was done outside the timed calls, on another stream or thread, or the stamps "
                "were tampered with",
            )  # fmt: skip
        if _mostly(self.hand_over) > 1.0 or self._fastest_hand_over > 1.0:
            raise stop(
                Status.REJECTED, "deferred_work",
                "handing over the outputs of timed calls takes much longer than it takes a baseline: the work is done "
                "when somebody looks, not when the call is made",
            )  # fmt: skip
        if self.background_seconds > max(BACKGROUND_SECONDS, BACKGROUND_SHARE * self.baseline_seconds):
            raise stop(
                Status.REJECTED, "background_work",
                f"the candidate's processes used {self.background_seconds:.2f} s of CPU time while baselines were "
                f"timed ({self.baseline_seconds:.2f} s): it works in the background or slows the baselines down",
            )  # fmt: skip
