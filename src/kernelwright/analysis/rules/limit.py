"""Nothing is left to gain: the time lies at the roofline."""

from kernelwright.analysis.rules.reading import Reading
from kernelwright.analysis.rules.rule import Rule, Sign
from kernelwright.schema import Bottleneck

CLOSE = 1.18
"""Time over the bound: 85 % of what was measured to be possible."""
TOO_GOOD = 0.9
"""Below it the bound is wrong: rates measured while other programs had the device, or a candidate that does less."""


def _at_the_limit(reading: Reading) -> Sign | None:
    if not TOO_GOOD <= reading.over_bound <= CLOSE:
        return None
    what = "memory bandwidth" if reading.memory_bound else "arithmetic rate"
    return Sign(
        f"Stop tuning this kernel: it runs at the {what} of the device. Only less work would make it faster: an "
        "algebraic identity that removes a product or a pass, or inputs and weights that need not be read.",
        max(1.0, reading.over_bound),
        f"{reading.wall_ms:.4g} ms against a bound of {reading.bound_ms:.4g} ms",
    )


RULES = (
    Rule(
        "at the limit",
        Bottleneck.AT_THE_LIMIT,
        0.1,
        "The bound is what the measured rates allow for the reference's own work; no more than the way to it is left.",
        _at_the_limit,
    ),
)
