"""What a rule is: a sign in the figures, the change that it calls for, and what that should gain."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from kernelwright.analysis.rules.reading import Reading
from kernelwright.schema import Bottleneck, Recommendation

MOST_GAIN = 1000.0
MOST_TEXT = 1500


@dataclass(frozen=True)
class Sign:
    """A rule's condition holds."""

    change: str
    """For the author, in the imperative."""
    gain: float
    """The time now over the time after the change, if it works."""
    evidence: str


@dataclass(frozen=True)
class Rule:
    """One rule. ``gain_because`` is the reasoning behind the formula of ``look``; ``confidence`` is how often such a
    change is expected to be faster beyond noise: a prior, scored against what happened (``analysis/score.py``)."""

    name: str
    bottleneck: Bottleneck
    confidence: float
    gain_because: str
    look: Callable[[Reading], Sign | None]

    def recommend(self, reading: Reading) -> Recommendation | None:
        """``None`` where the condition does not hold."""
        sign = self.look(reading)
        if sign is None:
            return None
        return Recommendation(
            bottleneck=self.bottleneck,
            change=sign.change[:MOST_TEXT],
            expected_gain=bounded(sign.gain),
            confidence=self.confidence,
            evidence=f"{self.name}: {sign.evidence}"[:MOST_TEXT],
        )


def bounded(gain: float) -> float:
    """A gain that a prediction may state: a number, and never a loss."""
    return min(max(gain, 1.0), MOST_GAIN) if math.isfinite(gain) else 1.0


def amdahl(share: float, factor: float) -> float:
    """The gain of the whole when ``share`` of its time becomes ``factor`` times shorter (Amdahl 1967)."""
    share = min(max(share, 0.0), 1.0)
    left = 1.0 - share + share / factor if factor > 0 else 1.0
    return 1.0 / left if left > 0 else MOST_GAIN
