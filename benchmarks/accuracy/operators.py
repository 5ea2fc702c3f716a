"""What the experiment is made of: an operator, and the ways to compute it.

Every function takes and gives float32 tensors that hold values of the dtype under test, and its result is rounded to
that dtype once, as a fused kernel stores it. Eager PyTorch runs on tensors of the dtype itself.

Which ways are dishonest is settled before anything is measured, for each dtype, by what a way does and not by what
comes of it:

``format``
    Operands or the result pass through a format whose rounding error is larger than ``ALLOWANCE`` rounding units of
    the dtype. So bfloat16 operands are dishonest in float32 and float16, and the dtype's own business in bfloat16.
``approximation``
    A function is replaced by one whose largest relative error (measured in float64, over the range that the draws
    reach) is larger than that. Four rounding units are two units in the last place: what the mathematical libraries of
    the vendors allow themselves.
``accumulator``
    Running sums or carries pass through such a format. Partial sums in the dtype's own 16 bits are its own business,
    as in PyTorch (``allow_fp16_reduced_precision_reduction`` and its bfloat16 sister are on by default).
``structure``
    Terms or steps left out, a statistic over a part, an epsilon that is another one: dishonest in all three.

Ways of the first three kinds that a dtype cannot tell from its own rounding are left out there. Honest ways are fused
(float32 inside, one rounding at the end) or ``unfused``: every PyTorch operation rounds its result to the dtype.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from accuracy.rounding import FORMATS

Way = Callable[..., Any]
Tensors = tuple[torch.Tensor, ...]
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
ALLOWANCE = 4.0


@dataclass(frozen=True)
class Variant:
    """One way to compute an operator."""

    name: str
    honest: bool
    kind: str
    """``reordering`` or ``unfused`` for honest ones, else one of the kinds above."""
    run: Way
    widened: bool = True
    """It gets its tensors in float32, whatever the dtype."""


@dataclass(frozen=True)
class Operator:
    """One operator, with sizes, inputs that a stress draw changes, weights that it does not, and its variants."""

    name: str
    family: str
    sizes: tuple[tuple[int, ...], ...]
    inputs: Callable[..., Tensors]
    """``inputs(*size, g)``: float32 (or integer) tensors; ``g`` draws normal values of a shape."""
    reference: Way
    """On inputs and then weights, of any floating dtype."""
    honest: dict[str, Way] = field(default_factory=dict)
    structure: dict[str, Way] = field(default_factory=dict)
    unfused: dict[str, Way] = field(default_factory=dict)
    """Honest ways that run on tensors of the dtype itself."""
    accumulators: dict[str, Way] = field(default_factory=dict)
    """Their names begin with the format."""
    approximations: dict[str, tuple[float, Way]] = field(default_factory=dict)
    """Name to the largest relative error of the step that is replaced, and the way."""
    weights: Callable[..., Tensors] | None = None
    formats: tuple[str, ...] = tuple(FORMATS)

    def variants(self, dtype: torch.dtype) -> Iterator[Variant]:
        """All ways of this operator that mean something in ``dtype``."""
        for name, run in self.honest.items():
            yield Variant(name, True, "reordering", run)
        for name, run in self.unfused.items():
            yield Variant(name, True, "unfused", run, widened=False)
        yield Variant("float64 throughout", True, "reordering", _in_float64(self.reference))
        for name, run in self.structure.items():
            yield Variant(name, False, "structure", run)
        allowed = ALLOWANCE * rounding_unit(dtype)
        for name, run in self.accumulators.items():
            if FORMATS[name.split()[0]][1] > allowed:
                yield Variant(name, False, "accumulator", run)
        for name, (error, run) in self.approximations.items():
            if error > allowed:
                yield Variant(name, False, "approximation", run)
        for name in self.formats:
            to, error = FORMATS[name]
            if error > allowed:
                yield Variant(f"{name} operands", False, "format", _with_operands(self.reference, to))
                yield Variant(f"{name} result", False, "format", _with_result(self.reference, to))


def rounding_unit(dtype: torch.dtype) -> float:
    """Half the distance from 1 to the next number."""
    return torch.finfo(dtype).eps / 2


def mapped(function: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """``function`` on every floating tensor of a tensor or tuple; the rest as it is."""
    if isinstance(value, tuple):
        return tuple(mapped(function, leaf) for leaf in value)
    return function(value) if value.is_floating_point() else value


def _in_float64(reference: Way) -> Way:
    return lambda *given: mapped(torch.Tensor.float, reference(*mapped(torch.Tensor.double, given)))


def _with_operands(reference: Way, to: Callable[[torch.Tensor], torch.Tensor]) -> Way:
    return lambda *given: reference(*mapped(to, given))


def _with_result(reference: Way, to: Callable[[torch.Tensor], torch.Tensor]) -> Way:
    return lambda *given: mapped(to, reference(*given))
