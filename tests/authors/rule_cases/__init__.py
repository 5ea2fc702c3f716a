"""For each rule of the rewriter a random term that it must fire on."""

from rule_cases import convolutions, elementwise, products, reductions, views
from rule_cases.draws import CASES

__all__ = ["CASES", "convolutions", "elementwise", "products", "reductions", "views"]
