"""As accurate as PyTorch itself: whole outputs, draw by draw, into the verdict's accuracy record.

``Yardstick`` holds what PyTorch answers on one draw and compares any number of candidates with it; ``AccuracyRecord``
adds the draws of one candidate up. The rule for one tensor, and its reasons, stand in ``yardstick.py``.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.judge.yardstick import (
    NOTHING_IN_COMMON,
    Constants,
    Errors,
    ExactYardstick,
    FloatYardstick,
    LeafComparison,
    Mismatch,
    constants_for,
)
from kernelwright.schema import Accuracy, Precision

LEAP, LEAP_OVER_EAGER = 1e-2, 100.0
"""What moving inputs by a rounding unit must do to an output to be a leap: relative norm, and times eager's error. The
square root of a rounding unit, which roots and norms bring about near zero, is none."""


def leaves(output: Any) -> list[tuple[str, Any]]:
    """The tensors and other values in a nested output, each with its path: ``("output[0]['x']", tensor)``."""
    from torch.utils import _pytree as pytree

    with_paths, _ = pytree.tree_flatten_with_path(output)
    return [(f"output{pytree.keystr(path)}", leaf) for path, leaf in with_paths]


def one_rounding_unit(x: torch.Tensor, seed: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """``x`` in float64 with every element moved up or down, at random, by half an eps of its dtype (or ``dtype``).

    Feed the float64 reference with these to get the conditioned outputs. Tensors that are not floating point come back
    as they are.
    """
    if not x.is_floating_point():
        return x
    unit = torch.finfo(dtype or x.dtype).eps / 2
    sign = torch.empty(x.shape, dtype=torch.float64, device=x.device)
    sign.random_(0, 2, generator=torch.Generator(x.device).manual_seed(seed))
    return sign.mul_(2 * unit).add_(1 - unit).mul_(x)


class Yardstick:
    """All that outputs of one draw are held against.

    ``eager``, ``float64`` and ``conditioned`` are outputs (nested as the module returns them) of the reference: in its
    own precision, in float64, and in float64 on inputs moved by one rounding unit (``None``: not known). ``stress``
    marks a draw that the problem would not make itself; other ``constants`` ask for more or less than ``strict``.
    Keeps the tensors; makes no copy of contiguous ones.
    Raises ``ValueError`` when the three do not have the same structure.
    """

    def __init__(
        self,
        eager: Any,
        float64: Any,
        conditioned: Any = None,
        *,
        draw: str = "",
        stress: bool = False,
        constants: Callable[[torch.dtype], Constants] = constants_for,
    ) -> None:
        self.draw, self.stress = draw, stress
        parts = [leaves(eager), leaves(float64), leaves(float64 if conditioned is None else conditioned)]
        if len({len(p) for p in parts}) != 1:
            raise ValueError("eager and float64 outputs do not have the same structure")
        self.leaves: list[tuple[str, Any, FloatYardstick | ExactYardstick | None]] = []
        for (path, e), (_, r), (_, p) in zip(*parts, strict=True):
            self.leaves.append((path, e, _yardstick(path, e, r, None if conditioned is None else p, constants)))

    @property
    def leaps(self) -> bool:
        """Whether moving the inputs by a rounding unit changes some output by leaps where eager is exact.

        So it is where a module compares inputs that are equal: moving them breaks the ties, which no program need do.
        """
        floats = (yardstick for *_, yardstick in self.leaves if isinstance(yardstick, FloatYardstick))
        return any(y.conditioned.norm > max(LEAP, LEAP_OVER_EAGER * y.errors.norm) for y in floats)

    @property
    def eager_error(self) -> float | None:
        """The largest error of eager's outputs, in the norm; ``None`` where none of them is a floating-point tensor."""
        floats = (yardstick for *_, yardstick in self.leaves if isinstance(yardstick, FloatYardstick))
        return max((yardstick.errors.norm for yardstick in floats), default=None)

    def near(self, eager: Any) -> "Yardstick | None":
        """What outputs must be on inputs that differ in one element, where eager answers ``eager``: no float64 run.

        Demands a little less than a yardstick of its own, so a failure calls for one. ``None`` where there is no such
        shortcut.
        """
        found = leaves(eager)
        if [path for path, _ in found] != [path for path, *_ in self.leaves]:
            return None
        other = copy.copy(self)
        other.leaves = []
        for (path, value), (_, expected, yardstick) in zip(found, self.leaves, strict=True):
            if _unlike(path, value, expected, self.draw) is not None:
                return None
            moved = None if yardstick is None else yardstick.near(_real(_tensor(value)))
            if moved is None and yardstick is not None:
                return None
            other.leaves.append((path, value, moved))
        return other

    def compare(self, candidate: Any) -> "DrawComparison":
        """Compares a whole output. What the candidate hands over never raises: it comes back as a failure."""
        found = leaves(candidate)
        if [path for path, _ in found] != [path for path, *_ in self.leaves]:
            returned, expected = (f"{len(part)} values ({_paths(part)})" for part in (found, self.leaves))
            note = f"{returned} where the reference returns {expected}"
            return self._refuse(Mismatch("structure", self.draw, "output", note=note))
        compared: list[LeafComparison] = []
        for (path, value), (_, expected, yardstick) in zip(found, self.leaves, strict=True):
            broken = _unlike(path, value, expected, self.draw)
            if broken is not None:
                return self._refuse(broken)
            if yardstick is not None:
                compared.append(yardstick.compare(_real(_tensor(value)), self.draw, self.stress))
        return DrawComparison(stress=self.stress, leaves=tuple(compared))

    def _refuse(self, broken: Mismatch) -> "DrawComparison":
        nothing = Errors(norm=NOTHING_IN_COMMON, peak=NOTHING_IN_COMMON)
        leaf = LeafComparison(nothing, Errors(), dict.fromkeys(Precision, broken))
        return DrawComparison(stress=self.stress, leaves=(leaf,))


@dataclass(frozen=True)
class DrawComparison:
    """One draw: every leaf of the output."""

    stress: bool
    leaves: tuple[LeafComparison, ...]

    def failure(self, precision: Precision) -> Mismatch | None:
        """The first leaf's reason not to meet ``precision``, or ``None``."""
        return next((leaf.failures[precision] for leaf in self.leaves if precision in leaf.failures), None)


class AccuracyRecord:
    """Adds draws up.

    ``kernelbench`` and ``gimlet`` repeat what was published for natural draws. Stress draws are not part of their
    protocols: there they only ask for an error norm below ten times their tolerance, or for ``strict``.
    """

    def __init__(self) -> None:
        self._draws: list[DrawComparison] = []

    def add(self, draw: DrawComparison) -> None:
        self._draws.append(draw)

    def failure(self, precision: Precision) -> Mismatch | None:
        """The reason not to meet ``precision``: the first one found."""
        return next((f for f in (draw.failure(precision) for draw in self._draws) if f is not None), None)

    def accuracy(self) -> Accuracy:
        """Errors of the worst draw and leaf, and which precisions every draw so far meets."""
        every = [leaf for draw in self._draws for leaf in draw.leaves]
        stress = sum(draw.stress for draw in self._draws)
        return Accuracy(
            candidate_norm=_most(leaf.errors.norm for leaf in every),
            candidate_worst=_most(leaf.errors.peak for leaf in every),
            eager_norm=_most(leaf.eager.norm for leaf in every),
            eager_worst=_most(leaf.eager.peak for leaf in every),
            draws=len(self._draws) - stress,
            stress_draws=stress,
            passes={precision: self.failure(precision) is None for precision in Precision},
        )


def _yardstick(
    path: str, eager: Any, float64: Any, conditioned: Any, constants: Callable[[torch.dtype], Constants]
) -> FloatYardstick | ExactYardstick | None:
    if not isinstance(eager, torch.Tensor | bool | int | float | complex):
        return None
    e, r = _real(_tensor(eager)), _real(_tensor(float64))
    p = None if conditioned is None else _real(_tensor(conditioned))
    if e.shape != r.shape or (p is not None and p.shape != r.shape):
        raise ValueError(f"{path}: eager has shape {tuple(e.shape)}, float64 {tuple(r.shape)}")
    if e.is_floating_point():
        return FloatYardstick(path, e, r, p, python=not isinstance(eager, torch.Tensor), constants=constants)
    return ExactYardstick(path, e, r, p)


def _unlike(path: str, value: Any, expected: Any, draw: str) -> Mismatch | None:
    """What differs in kind: type, shape or dtype of a tensor, type of a Python number, any other value as such."""
    if isinstance(expected, torch.Tensor):
        if not isinstance(value, torch.Tensor):
            return Mismatch(
                "structure", draw, path, note=f"a {type(value).__name__} where the reference returns a tensor"
            )
        if value.shape != expected.shape:
            return Mismatch(
                "shape", draw, path, note=f"shape {tuple(value.shape)}, the reference's is {tuple(expected.shape)}"
            )
        if value.dtype != expected.dtype:
            return Mismatch("dtype", draw, path, note=f"dtype {value.dtype}, the reference's is {expected.dtype}")
    elif type(value) is not type(expected):
        kind, wanted = type(value).__name__, type(expected).__name__
        return Mismatch("structure", draw, path, note=f"a {kind} where the reference returns a {wanted}")
    elif not isinstance(expected, bool | int | float | complex) and _differs(value, expected):
        return Mismatch("value", draw, path, note=f"{value!r} where the reference returns {expected!r}")
    return None


def _differs(value: Any, expected: Any) -> bool:
    """Unequal, or of a kind that cannot be compared as one truth value."""
    try:
        return bool(value != expected)
    except (TypeError, ValueError, RuntimeError):
        return True


def _tensor(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    wide = {float: torch.float64, complex: torch.complex128}
    return torch.tensor(value, dtype=wide.get(type(value)))


def _real(x: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _paths(found: Sequence[tuple[Any, ...]]) -> str:
    shown = ", ".join(str(item[0]) for item in found[:4])
    return shown + (", …" if len(found) > 4 else "")


def _most(values: Any) -> float:
    return min(max(values, default=0.0), NOTHING_IN_COMMON)
