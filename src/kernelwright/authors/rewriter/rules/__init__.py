"""Every rule of the rewriter, by subject. Imports no torch."""

from kernelwright.authors.rewriter.rule import Rule
from kernelwright.authors.rewriter.rules import (
    activations,
    attention,
    bounds,
    convolution,
    einsum,
    elementwise,
    linear,
    normalisation,
    pooling,
    reductions,
    structure,
    views,
)

ALL: tuple[Rule, ...] = (
    *elementwise.RULES,
    *bounds.RULES,
    *activations.RULES,
    *views.RULES,
    *reductions.RULES,
    *linear.RULES,
    *einsum.RULES,
    *attention.RULES,
    *structure.RULES,
    *convolution.RULES,
    *pooling.RULES,
    *normalisation.RULES,
)
