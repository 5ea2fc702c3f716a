"""What two modules compute, by their texts, in float64 and on inputs of the fuzzer's own: no code of the judge.

A rewriting is honest when it agrees with the module in float64 to ``AGREE`` on every draw. A mutation is one when it
differs by ``DIFFER`` or more on some draw: what moves outputs by less is hidden by the rounding of float32 that every
candidate may have. Both are relative: the norm of the difference over the norm of the output, the worst output counts.
"""

import math
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch

AGREE = 1e-12
DIFFER = 16 * 2.0**-23
WELL_POSED = 1e-4
"""Error of the module itself in float32, by the same measure: beyond that it computes little but rounding errors."""
Tensors = tuple[torch.Tensor, ...]

DRAWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "natural": lambda x: x,
    "wide": lambda x: 8 * x,
    "coarse": lambda x: (2 * x).round() / 2,
    "negative": lambda x: -x.abs() - 0.1,
    "small": lambda x: x / 64,
}
"""What is done to the floating inputs that the problem draws: more range, ties and zeros, one sign, small values."""


@dataclass(frozen=True)
class Difference:
    """By draw: how far two modules are apart; infinite where one is finite and the other is not, or in shape or dtype.

    Draws on which the module itself has nothing finite to say are left out.
    """

    by_draw: dict[str, float]

    @property
    def largest(self) -> float:
        return max(self.by_draw.values(), default=0.0)


class Measured:
    """A module, and what it answers on the fuzzer's own draws."""

    def __init__(self, problem: str, seed: int = 0):
        names: dict[str, Any] = {}
        exec(compile(problem, "<problem>", "exec"), names)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            self._model = names["Model"]().eval()
            self._inputs = tuple(names["get_inputs"]())
        self._weights = {name: value.double() for name, value in self._model.state_dict().items()}
        self._right = {kind: _run(self._model.double(), self._drawn(kind, torch.float64)) for kind in DRAWS}
        single = names["Model"]().eval()
        single.load_state_dict(self._weights)
        self.own_error = max(
            distance(_run(single, self._drawn(kind, torch.float32)), self._right[kind]) for kind in ("natural", "small")
        )
        """Of the module in float32 on inputs of ordinary size."""

    @property
    def well_posed(self) -> bool:
        """It computes something in float32, and no output is the same number throughout whatever the inputs."""
        return self.own_error < WELL_POSED and all(_finite(out) for out in self._right["natural"])

    def difference(self, candidate: str, draws: Collection[str] = tuple(DRAWS)) -> Difference:
        """How far a candidate is from the module in float64 on these draws. Raises whatever the candidate raises."""
        names: dict[str, Any] = {}
        exec(compile(candidate, "<candidate>", "exec"), names)
        model = names["ModelNew"]().eval().double()
        model.load_state_dict(self._weights)
        found: dict[str, float] = {}
        for kind, right in self._right.items():
            if kind in draws and all(_finite(out) for out in right):
                found[kind] = distance(_run(model, self._drawn(kind, torch.float64)), right)
        return Difference(found)

    def _drawn(self, kind: str, dtype: torch.dtype) -> Tensors:
        """Inputs are exact in float32, so that both precisions get the same ones."""
        change = DRAWS[kind]
        return tuple(change(x).to(dtype) if x.is_floating_point() else x.clone() for x in self._inputs)


def under_other_seeds(problem: str, candidate: str, seeds: Iterable[int]) -> list[float]:
    """The difference on the problem's own inputs, with other weights and other inputs for each seed."""
    return [Measured(problem, seed).difference(candidate, ("natural",)).largest for seed in seeds]


def _run(model: torch.nn.Module, inputs: Tensors) -> Tensors:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mutation may broadcast where nobody would
        out = model(*inputs)
    return out if isinstance(out, tuple) else (out,)


def _finite(x: torch.Tensor) -> bool:
    return bool(torch.isfinite(x).all())


def distance(found: Tensors, right: Tensors) -> float:
    """Norm of the difference over norm of ``right``; the worst output counts. Both zero: no distance."""
    if [x.shape for x in found] != [x.shape for x in right]:
        return math.inf
    return max(_distance(f.double(), r.double()) for f, r in zip(found, right, strict=True))


def _distance(found: torch.Tensor, right: torch.Tensor) -> float:
    if not _finite(found):
        return math.inf
    apart = float((found - right).norm())
    return apart / max(float(right.norm()), 1e-300) if apart else 0.0
