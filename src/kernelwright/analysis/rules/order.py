"""All rules in the order in which they are asked. The first whose condition holds gives the recommendation.

First whether anything is left to gain, then what keeps the device from working at all, then waste that a counter shows
plainly, then distance to the rates of memory and arithmetic. The last rule always holds.
"""

from kernelwright.analysis.rules import access, cores, host, limit, rates
from kernelwright.analysis.rules.reading import Reading
from kernelwright.analysis.rules.rule import Rule
from kernelwright.schema import Recommendation

RULES: tuple[Rule, ...] = (*limit.RULES, *host.RULES, *access.RULES, *cores.RULES, *rates.RULES)


def recommend(reading: Reading) -> Recommendation:
    """Exactly one, for any profile."""
    return next(found for rule in RULES if (found := rule.recommend(reading)) is not None)
