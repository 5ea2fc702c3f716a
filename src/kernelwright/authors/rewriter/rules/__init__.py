"""Every rule of the rewriter, by subject. Imports no torch."""

from kernelwright.authors.rewriter.rule import Rule
from kernelwright.authors.rewriter.rules import convolution, elementwise, linear, reductions, structure, views

ALL: tuple[Rule, ...] = (
    *elementwise.RULES,
    *views.RULES,
    *reductions.RULES,
    *linear.RULES,
    *structure.RULES,
    *convolution.RULES,
)
