"""For each rule of the rewriter a random term that it must fire on."""

from rule_cases import (
    activations,
    bounds,
    convolutions,
    einsums,
    elementwise,
    norms,
    pools,
    products,
    reductions,
    views,
)
from rule_cases.draws import CASES

__all__ = [
    "CASES",
    "activations",
    "bounds",
    "convolutions",
    "einsums",
    "elementwise",
    "norms",
    "pools",
    "products",
    "reductions",
    "views",
]
