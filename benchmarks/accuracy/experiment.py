"""One operator in one dtype and size: every variant on every draw, under multiples of the rule's constants."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from accuracy.normalisations import NORMALISATIONS
from accuracy.operators import Operator, Variant, mapped, rounding_unit
from accuracy.pointwise import POINTWISE
from accuracy.products import PRODUCTS
from accuracy.reductions import REDUCTIONS
from accuracy.sequences import SEQUENCES
from kernelwright.judge.accuracy import DrawComparison, Yardstick, one_rounding_unit
from kernelwright.judge.worker.provenance import operators
from kernelwright.judge.yardstick import NOTHING_IN_COMMON, Constants, FloatYardstick, constants_for
from kernelwright.problems.stress import CLASS_KINDS, STRESS_KINDS, stress
from kernelwright.problems.stress_plan import stress_kinds
from kernelwright.schema import Precision

OPERATORS: tuple[Operator, ...] = (*PRODUCTS, *REDUCTIONS, *NORMALISATIONS, *SEQUENCES, *POINTWISE)
NATURAL = ("natural 1", "natural 2")
_OFFSET = 8.0
TRIED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "offset": lambda x: x + _OFFSET,
    "wide": lambda x: x * torch.exp2((3 if x.dtype != torch.float16 else 2) * (x.abs().clamp(max=6) - 1)),
    "close": lambda x: 1 + x * 2.0 ** round(math.log2(torch.finfo(x.dtype).eps) / 2),
}
"""Draws that were tried and are in no plan: a mean of eight deviations, a range of four decades with a few values that
carry a sum, and values that differ in their last bits."""
KINDS = (*NATURAL, *STRESS_KINDS, *CLASS_KINDS, *TRIED)
MULTIPLES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""What the rule's four constants are multiplied with, all alike."""
SEED = 20_261_127


def constants_times(factor: float, dtype: torch.dtype) -> Constants:
    """The rule's constants for ``dtype``, each times ``factor``."""
    return Constants(**{name: factor * value for name, value in dataclasses.asdict(constants_for(dtype)).items()})


def drawing(seed: int) -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def draws(
    operator: Operator, size: tuple[int, ...], dtype: torch.dtype, seed: int = SEED
) -> Iterator[tuple[str, Any, Any]]:
    """(kind, inputs, weights) in ``dtype`` of each draw of a session that makes every kind."""
    weights: Any = ()
    if operator.weights is not None:
        weights = mapped(partial(torch.Tensor.to, dtype=dtype), operator.weights(*size, drawing(seed)))
    for number, kind in enumerate(KINDS):
        inputs = mapped(partial(torch.Tensor.to, dtype=dtype), operator.inputs(*size, drawing(seed + 1 + number)))
        if kind in TRIED:
            inputs = mapped(TRIED[kind], inputs)
        elif kind not in NATURAL:
            inputs = stress(inputs, kind)
        yield kind, inputs, weights


def plan(operator: Operator) -> tuple[str, ...]:
    """The draws that a session makes for this operator."""
    _, inputs, weights = next(draws(operator, operator.sizes[0], torch.float32))
    names = operators(operator.reference, (*inputs, *weights))
    return (*NATURAL, *stress_kinds(frozenset(name.rpartition(".")[0] for name in names)))


@dataclass(frozen=True)
class Cell:
    """One variant of one operator in one dtype and size, over all draws."""

    operator: str
    family: str
    dtype: str
    size: tuple[int, ...]
    variant: str
    honest: bool
    kind: str
    to_eager: float | None
    """Median over the natural draws of its error norm over eager's; ``None`` where eager is exact."""
    error: float
    """Its largest error norm on natural draws, in rounding units of the dtype."""
    to_bound: float
    """The largest measure over its bound, over the draws of the plan."""
    allowed_from: float | None
    """The smallest multiple of the rule's constants under which every draw of the plan passes."""
    caught_by: tuple[str, ...]
    """Draws that do not pass under the rule as it is, whether in the plan or not."""
    plan: tuple[str, ...]
    kernelbench: bool
    gimlet: bool
    """Whether the natural draws keep the published tolerances."""

    @property
    def accepted(self) -> bool:
        return self.passes(1.0)

    def passes(self, multiple: float) -> bool:
        return self.allowed_from is not None and self.allowed_from <= multiple


@dataclass(frozen=True)
class _Look:
    """One variant on one draw."""

    draw: str
    to_eager: float | None
    error: float
    to_bound: float
    allowed_from: float | None
    kernelbench: bool
    gimlet: bool


def run(operator: Operator, dtype: torch.dtype, size: tuple[int, ...], seed: int = SEED) -> list[Cell]:
    """All variants; a draw counts on which the reference has something finite to say."""
    looks: dict[Variant, list[_Look]] = {variant: [] for variant in operator.variants(dtype)}
    for kind, inputs, weights in draws(operator, size, dtype, seed):
        given = (*inputs, *weights)
        with torch.no_grad():
            eager = operator.reference(*given)
            exact = operator.reference(*mapped(torch.Tensor.double, given))
            moved = operator.reference(
                *(one_rounding_unit(x, seed + k) if x.is_floating_point() else x for k, x in enumerate(given))
            )
        floating = eager.is_floating_point()
        if floating and not bool(torch.isfinite(eager).any()):
            continue
        yardsticks = {
            factor: Yardstick(
                eager, exact, moved, draw=kind, stress=kind not in NATURAL, constants=partial(constants_times, factor)
            )
            for factor in MULTIPLES
        }
        wide = mapped(torch.Tensor.float, given)
        for variant, found in looks.items():
            with torch.no_grad():
                answer = variant.run(*(wide if variant.widened else given))
            answer = answer.to(dtype) if floating else answer
            if variant.name.endswith(" result") and not floating:
                continue  # rounding of integers is nothing
            found.append(_look(kind, {f: y.compare(answer) for f, y in yardsticks.items()}, yardsticks[1.0], dtype))
    session = plan(operator)
    return [_cell(operator, dtype, size, variant, found, session) for variant, found in looks.items() if found]


def _look(kind: str, compared: dict[float, DrawComparison], yardstick: Yardstick, dtype: torch.dtype) -> _Look:
    leaf, broken = compared[1.0].leaves[0], compared[1.0].failure(Precision.STRICT)
    held = yardstick.leaves[0][2]
    share = 0.0
    if broken is not None:
        share = broken.error / broken.bound if broken.bound else NOTHING_IN_COMMON
    elif isinstance(held, FloatYardstick):
        share = max(getattr(leaf.errors, m) / getattr(held.bounds, m) for m in ("norm", "worst", "small"))
    return _Look(
        draw=kind,
        to_eager=leaf.errors.norm / leaf.eager.norm if leaf.eager.norm else None,
        error=leaf.errors.norm / rounding_unit(dtype),
        to_bound=min(share, NOTHING_IN_COMMON),
        allowed_from=_allowed_from(compared),
        kernelbench=compared[1.0].failure(Precision.KERNELBENCH) is None,
        gimlet=compared[1.0].failure(Precision.GIMLET) is None,
    )


def _cell(
    operator: Operator,
    dtype: torch.dtype,
    size: tuple[int, ...],
    variant: Variant,
    found: list[_Look],
    session: tuple[str, ...],
) -> Cell:
    natural = [look for look in found if look.draw in NATURAL]
    planned = [look for look in found if look.draw in session]
    ratios = [look.to_eager for look in natural if look.to_eager is not None]
    needed = [look.allowed_from for look in planned]
    return Cell(
        operator=operator.name,
        family=operator.family,
        dtype=str(dtype).removeprefix("torch."),
        size=size,
        variant=variant.name,
        honest=variant.honest,
        kind=variant.kind,
        to_eager=statistics.median(ratios) if ratios else None,
        error=max(look.error for look in natural),
        to_bound=max(look.to_bound for look in planned),
        allowed_from=None if None in needed else max(n for n in needed if n is not None),
        caught_by=tuple(look.draw for look in found if look.allowed_from is None or look.allowed_from > 1),
        plan=session,
        kernelbench=all(look.kernelbench for look in natural),
        gimlet=all(look.gimlet for look in natural),
    )


def _allowed_from(compared: dict[float, DrawComparison]) -> float | None:
    """The smallest multiple from which on the variant passes; ``None``: not even under the largest."""
    allowed: float | None = None
    for factor in sorted(compared, reverse=True):
        if compared[factor].failure(Precision.STRICT) is not None:
            break
        allowed = factor
    return allowed
