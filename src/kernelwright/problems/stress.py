"""Stress draws: a problem's own inputs changed so that code which only works on those inputs gives itself away.

Each kind but ``ascending`` maps every value of a floating tensor by itself, by one rule for the whole tensor, so what
makes an input valid survives: a symmetric matrix stays symmetric, a triangular one triangular, equal entries stay
equal. Nothing is random: the same draw gives the same stress draw. Integers, booleans, Python scalars, infinities and
NaN stay as they are, and finite values stay finite.

What each kind is for:

``scaled``
    Small values: ×0.01 for the first floating input, ×0.25 for the second, ×0.001 for the third, and so on in turn.
    Catches a wrong or missing epsilon of a normalisation, which only counts here; constants left in place of an input;
    inputs that were mixed up, by their different factors; and, under a relative measure of error, approximations
    whose error is absolute.
``negative``
    ``x → -x - 1``: values drawn from ``[0, 1)`` become negative throughout, and normal ones mostly. Catches ReLU,
    LeakyReLU, ELU, HardTanh or abs replaced by the identity because the problem's own inputs are never negative, and
    maxima that start from zero. Inputs with structural zeros get ``x → -x``, so that the zeros stay.
``ties``
    Values rounded to a coarse grid (half a power of two near the root mean square), small ones to exactly 0. Catches a
    wrong choice among equal maxima (argmax, max pooling, sort, top-k), ``>`` in place of ``>=``, and divisions by or
    logarithms of an exact zero that the reference guards against.
``large``
    ×1000 (×32 in float16, ×4 in eight bits, which could not hold more). Catches softmax and logsumexp without the
    maximum taken off, sigmoid and tanh replaced by a line or polynomial that holds near zero only, missing clamps and
    saturation, and sums kept in too narrow a type.

Three more are for the weak spots of some operators; ``stress_plan.py`` says who gets them:

``spread``
    Root mean square near 4: ``x`` times a power of two. Weights of a softmax then range from 1 to e^-30. Catches tails
    that are cut off, and what is only right for scores that lie close together.
``tail``
    ``x → -3 - |x|`` in units of the root mean square: -3 to -7, the foot of tanh, sigmoid, GELU and their kin, where
    the output is small and an approximation that is right elsewhere is relatively wrong. All values are negative and
    many lie close to the largest: maxima that start from zero, and near ties told apart in low precision, go wrong.
``ascending``
    The same values, the larger ones towards the end of every axis. Catches searches that stop early, and sums and
    statistics over a part: what is left out is then not like the rest.

A reference need not be defined everywhere: one that takes logarithms gives NaN on negative values. Whether a stress
draw says anything is for the caller to decide, from the reference's own output.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from kernelwright.problems.structure import flatten, unflatten

TIES = "ties"
STRESS_KINDS: tuple[str, ...] = ("scaled", "negative", TIES, "large")
"""What every module can be asked."""
CLASS_KINDS: tuple[str, ...] = ("spread", "tail", "ascending")
"""What finds the weak spots of some operators only, see :mod:`kernelwright.problems.stress_plan`."""

_SCALES = (0.01, 0.25, 0.001)
_SHIFT = 1.0
_ZERO_SHARE = 0.01
_SPREAD = 4.0
_TAIL_FROM = 3.0


def stress(inputs: Sequence[Any], kind: str, *, keep_zeros: frozenset[int] = frozenset()) -> tuple[Any, ...]:
    """New inputs of the same structure, shapes, dtypes and devices, with every floating tensor changed.

    ``inputs`` are the positional arguments of ``forward``; they are not modified. ``keep_zeros`` are positions in
    ``flatten(inputs)[0]`` as :func:`structural_zeros` gives them: there an exact zero stays one in every kind. A tensor
    that appears twice stays one tensor.

    Raises ``ValueError`` for a kind that is not one of :data:`STRESS_KINDS` and :data:`CLASS_KINDS`.
    """
    if kind not in STRESS_KINDS + CLASS_KINDS:
        raise ValueError(f"no stress kind {kind!r}: there are {', '.join(STRESS_KINDS + CLASS_KINDS)}")
    leaves, structure = flatten(tuple(inputs))
    kept = {id(leaves[position]) for position in keep_zeros}
    changed: dict[int, Any] = {}
    floating = 0
    with torch.no_grad():
        for leaf in leaves:
            if id(leaf) in changed or not _is_floating(leaf):
                continue
            changed[id(leaf)] = _stressed(leaf, kind, scale=_SCALES[floating % len(_SCALES)], keep=id(leaf) in kept)
            floating += 1
    return unflatten([changed.get(id(leaf), leaf) for leaf in leaves], structure)


def structural_zeros(draws: Sequence[Sequence[Any]]) -> frozenset[int]:
    """Positions (in ``flatten(inputs)[0]``) of the floating inputs whose exact zeros belong to their structure.

    ``draws`` are at least two draws under different seeds. An input counts when some of its zeros are at the same
    places in every draw (triangular, diagonal and banded matrices, padding), or when at least 1 % of it is exactly zero
    in every draw (one-hot rows, sparse values): continuous distributions as good as never give an exact zero. An input
    of zeros only is no structure but a starting value, and does not count.

    Raises ``ValueError`` for fewer than two draws, for one draw cannot tell structure from chance.
    """
    if len(draws) < 2:
        raise ValueError("structural zeros need at least two draws to compare")
    columns = list(zip(*(flatten(tuple(draw))[0] for draw in draws), strict=True))
    return frozenset(position for position, leaves in enumerate(columns) if _zeros_belong(leaves))


def _zeros_belong(leaves: tuple[Any, ...]) -> bool:
    if not all(_is_floating(leaf) and leaf.numel() > 0 for leaf in leaves):
        return False
    masks = [_computable(leaf) == 0 for leaf in leaves]
    if all(bool(mask.all()) for mask in masks):
        return False
    if all(bool(mask.float().mean() >= _ZERO_SHARE) for mask in masks):
        return True
    if len({mask.shape for mask in masks}) > 1:
        return False
    return bool(torch.stack(masks).all(dim=0).any())


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()


def _stressed(tensor: torch.Tensor, kind: str, *, scale: float, keep: bool) -> torch.Tensor:
    x = _computable(tensor)
    match kind:
        case "scaled":
            y = x * scale
        case "negative":
            y = 0.0 - x if keep else -x - _SHIFT  # 0 - x, since -x would make negative zeros
        case "ties":
            y = _rounded(x)
        case "spread":
            unit = _power_of_two_near_rms(x)
            y = x * (_SPREAD / unit) if unit else x.clone()
        case "tail":
            unit = _power_of_two_near_rms(x)
            y = -(x.abs() / unit) - _TAIL_FROM if unit else x.clone()
            y = torch.where(x == 0, x, y) if keep else y
        case "ascending":
            y = x.clone() if keep else _ascending(x)
        case "large":
            y = x * _large_factor(tensor.dtype)
        case _:
            raise AssertionError(kind)
    largest = torch.finfo(tensor.dtype).max
    y = y.clamp_(-largest, largest)
    finite = torch.isfinite(x)
    if not bool(finite.all()):
        y = torch.where(finite, y, x)
    return y.to(tensor.dtype)


def _computable(tensor: torch.Tensor) -> torch.Tensor:
    """Formats of eight bits have no arithmetic of their own."""
    return tensor.detach() if tensor.dtype.itemsize > 1 else tensor.detach().float()


def _power_of_two_near_rms(x: torch.Tensor) -> float:
    """The power of two next to the root mean square; 0 where there is none."""
    rms = float(torch.linalg.vector_norm(x)) / math.sqrt(max(x.numel(), 1))
    if not 0.0 < rms < math.inf:  # infinities, NaN, or squares out of range: the longer way, with copies
        finite = x[torch.isfinite(x)]
        rms = float(finite.double().square().mean().sqrt()) if finite.numel() else 0.0
    return 2.0 ** round(math.log2(rms)) if 0.0 < rms < math.inf else 0.0


def _ascending(x: torch.Tensor) -> torch.Tensor:
    """The same values, ascending along every axis."""
    place = torch.zeros((), device=x.device)
    for axis, size in enumerate(x.shape):
        steps = torch.linspace(0, 1, size, device=x.device).reshape(-1, *[1] * (x.dim() - 1 - axis))
        place = place + steps
    order = place.expand(x.shape).reshape(-1).argsort(stable=True)
    y = torch.empty_like(x).reshape(-1)
    y[order] = x.reshape(-1).sort().values
    return y.reshape(x.shape)


def _rounded(x: torch.Tensor) -> torch.Tensor:
    unit = _power_of_two_near_rms(x)
    if not unit:
        return x.clone()
    step = unit / 2
    # + 0.0 turns the negative zeros that rounding makes into plain ones.
    return (x / step).round() * step + 0.0


def _large_factor(dtype: torch.dtype) -> float:
    if dtype.itemsize == 1:
        return 4.0
    return 1000.0 if torch.finfo(dtype).max > 1e30 else 32.0
