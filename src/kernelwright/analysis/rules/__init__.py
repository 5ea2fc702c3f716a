"""Rules that read profiles: no key, no network, the same answer every time.

``order.py`` lists them; each stands with its condition, its change and the reasoning behind its expected gain.
"""

from kernelwright.analysis.rules.analyst import RulesAnalyst
from kernelwright.analysis.rules.order import RULES, recommend

__all__ = ["RULES", "RulesAnalyst", "recommend"]
