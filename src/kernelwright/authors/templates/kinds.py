"""The reductions and normalisations that have kernels: by their statistics, and by what is computed from these."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.authors.templates.rows import Rows


@dataclass(frozen=True, slots=True)
class Kind:
    """One reduction, as statistics of a row (``kernels/STATISTICS.py``) and lines around them.

    ``element``: what is reduced, from the names of the node's arguments. ``middle``: lines that make ``v`` (where
    the node is the reduction alone), or prepare ``a`` and ``b``, from these and the length of a row. ``normal``: an
    element of the result, from the names of the arguments, where the node is a normalisation.
    """

    statistics: str
    middle: Callable[[Mapping[str, Any], int], Sequence[str]] = lambda attr, length: ("v = a",)
    element: Callable[[Sequence[str]], str] = lambda args: args[0]
    normal: Callable[[Sequence[str]], str] | None = None


def _moments_middle(attr: Mapping[str, Any], length: int) -> Sequence[str]:
    return (f"b = tl.div_rn(1.0, tl.sqrt_rn(tl.div_rn(b, {float(length)}) + {attr['eps']!r}))",)


def _affine(args: Sequence[str]) -> str:
    scaled = f"({args[0]} - a[:, None]) * b[:, None]"
    return scaled if len(args) == 1 else f"{scaled} * {args[1]} + {args[2]}"


BASE = 'tl.where(tl.abs(a) == float("inf"), 0.0, a)'
POISON = 'b = tl.where(a == float("inf"), float("nan"), b)'
"""PyTorch subtracts an infinite largest element from itself."""

KINDS: dict[str, Kind] = {
    "sum": Kind("sums"),
    "mean": Kind("sums", lambda attr, length: (f"v = tl.div_rn(a, {float(length)})",)),
    "amax": Kind("maxima"),
    "amin": Kind("maxima", lambda attr, length: ("v = -a",), lambda args: f"-{args[0]}"),
    "var": Kind("moments", lambda attr, length: (f"v = tl.div_rn(b, {float(length)})",)),
    "logsumexp": Kind("exponentials", lambda attr, length: (f"v = {BASE} + libdevice.log(b)",)),
    "norm_1": Kind("sums", element=lambda args: f"tl.abs({args[0]})"),
    "norm_2": Kind("sums", lambda attr, length: ("v = tl.sqrt_rn(a)",), lambda args: f"{args[0]} * {args[0]}"),
    "softmax": Kind(
        "exponentials",
        lambda attr, length: (POISON,),
        normal=lambda args: f"tl.div_rn(libdevice.exp({args[0]} - a[:, None]), b[:, None])",
    ),
    "log_softmax": Kind(
        "exponentials",
        lambda attr, length: (POISON, "b = libdevice.log(b)"),
        normal=lambda args: f"{args[0]} - a[:, None] - b[:, None]",
    ),
    **{
        name: Kind("moments", _moments_middle, normal=_affine) for name in ("layer_norm", "group_norm", "instance_norm")
    },
}


@dataclass(frozen=True, slots=True)
class Reduction:
    """One reduction and the pointwise work that its kernel takes along."""

    node: int
    kind: Kind
    rows: Rows
    before: tuple[int, ...]
    """Positions of what is computed before the statistics, element by element."""
    middle: tuple[int, ...]
    """With one value for each row."""
    after: tuple[int, ...]
    """Element by element, of the elements and of the values of their rows."""
    result: int

    @property
    def whole(self) -> bool:
        """The result has the elements, not one value for each row."""
        return bool(self.after) or (self.result == self.node and self.kind.normal is not None)
