"""What a part of a result needs: the parts of the arguments that its elements are computed from. Imports no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from kernelwright.authors.graph.einsum import Equation
from kernelwright.authors.graph.ir import Node, Slot, TensorType
from kernelwright.authors.graph.ops import BINARY, CHEAP, NORMS, REDUCTIONS, TRANSCENDENTAL, normalised_axes
from kernelwright.authors.rewriter.rule import axis_groups


@dataclass(frozen=True, slots=True)
class Part:
    """``length`` entries along ``dim``, from ``start`` on."""

    dim: int
    start: int
    length: int

    def at(self, dim: int) -> "Part":
        return Part(dim, self.start, self.length)

    def of(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of this part of a tensor."""
        return tuple(self.length if d == self.dim else n for d, n in enumerate(shape))


Parts = Sequence[Part | None]
"""Per argument the part that is needed; ``None``: all of it."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """The same operation on parts. ``attrs``: what changes in it."""

    parts: tuple[Part | None, ...]
    attrs: tuple[tuple[str, Any], ...] = ()
    only: int | None = None
    """The part is nothing but a part of this argument."""


Types = Sequence[TensorType]
Attrs = Mapping[str, Any]
Push = Callable[[Attrs, Types, TensorType, Part], Pushed | None]


def pushed(node: Node, types: Types, part: Part) -> Pushed | None:
    """The part of a node's result, from parts of its arguments; ``None`` where it needs all of them."""
    out = node.type
    assert isinstance(out, TensorType)
    if node.op == "opaque":
        push = _OPAQUE.get(node.attr["target"])
        plain = not node.attr["kwargs"]
    else:
        push, plain = _PUSHES.get(node.op), True
    return push(node.attr, types, out, part) if push is not None and plain else None


def _spread(types: Types, out: TensorType, part: Part) -> tuple[Part | None, ...]:
    """Of arguments that broadcast against the result."""
    axes = [part.dim - out.rank + t.rank for t in types]
    return tuple(part.at(a) if a >= 0 and t.shape[a] > 1 else None for a, t in zip(axes, types, strict=True))


def _pointwise(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed(_spread(types, out, part))


def _expand(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed(_spread(types, out, part), (("shape", part.of(out.shape)),))


def _permute(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed((part.at(attrs["dims"][part.dim]),))


def _reshape(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    """Where the axis is the first of those that hold the same elements, and whole entries of the argument's are met."""
    (x,) = types
    before, after = next(g for g in axis_groups(x.shape, out.shape) if part.dim in g[1])
    before = [d for d in before if x.shape[d] != 1]
    after = [d for d in after if out.shape[d] != 1]
    if not before or after[0] != part.dim:
        return None
    inner = prod(out.shape[d] for d in after[1:])
    entry = prod(x.shape[d] for d in before[1:])
    start, length = part.start * inner, part.length * inner
    if start % entry or length % entry:
        return None
    return Pushed((Part(before[0], start // entry, length // entry),), (("shape", part.of(out.shape)),))


def _linear(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    if part.dim == out.rank - 1:
        return Pushed((None, *(part.at(0) for _ in types[1:])))
    return Pushed((part, *(None for _ in types[1:])))


def _matmul(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    a, b = types
    if part.dim == out.rank - 1:
        return Pushed((None, part.at(b.rank - 1)))
    if part.dim == out.rank - 2:
        return Pushed((part.at(a.rank - 2), None))
    return Pushed(_spread(types, out, part))


def _einsum(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    equation = Equation.parse(attrs["equation"])
    letter = equation.result[part.dim]
    return Pushed(tuple(part.at(o.index(letter)) if letter in o else None for o in equation.operands))


def _conv(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    rest = types[1:]
    if part.dim == 0:
        return Pushed((part, *(None for _ in rest)))
    if part.dim > 1 or attrs["groups"] > 1:
        return None
    return Pushed((None, part.at(1 if attrs["transposed"] else 0), *(part.at(0) for _ in rest[1:])))


def _batch_norm(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed((part, *(part.at(0) if part.dim == 1 else None for _ in types[1:])))


def _norm(op: str) -> Push:
    def push(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
        apart = part.dim < min(normalised_axes(op, attrs, out.shape)) and (part.dim == 0 or op == "layer_norm")
        return Pushed((part, *(None for _ in types[1:]))) if apart else None

    return push


def _softmax(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed((part,)) if part.dim != attrs["dim"] else None


def _reduction(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    if attrs["keepdim"]:
        return Pushed((part,)) if part.dim not in attrs["dims"] else None
    left = [d for d in range(types[0].rank) if d not in attrs["dims"]]
    return Pushed((part.at(left[part.dim]),))


def _pool(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return Pushed((part,)) if part.dim < out.rank - len(attrs["kernel"]) else None


def _attention(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    q, k, _, *mask = types
    if part.dim == out.rank - 1:
        return Pushed((None, None, part, *(None for _ in mask)))
    scores = TensorType((*q.shape[:-1], k.shape[-2]), out.dtype)
    rows = _spread(mask, scores, part)
    return Pushed((part, None, None, *rows) if part.dim == out.rank - 2 else (part, part, part, *rows))


def _whole_attention(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    """The ATen call without a mask, dropout or heads that share keys."""
    alike = len({t.shape[:-2] for t in types}) == 1
    return _attention(attrs, types, out, part) if attrs["args"] == (Slot(0), Slot(1), Slot(2)) and alike else None


def _narrow(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    if part.dim != attrs["dim"]:
        return Pushed((part,))
    return Pushed((Part(part.dim, attrs["start"] + part.start, part.length),), only=0)


def _select(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    dim = attrs["args"][1] % types[0].rank
    return Pushed((part.at(part.dim + (part.dim >= dim)),))


def _slice(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    shown = part_of_slice(attrs["args"], types[0].shape)
    if shown is None:
        return None
    if shown.dim == part.dim:
        return Pushed((Part(part.dim, shown.start + part.start, part.length),), only=0)
    return Pushed((part,))


def _joined(dim: int, types: Types, part: Part) -> Pushed | None:
    if dim != part.dim:
        return Pushed((part,) * len(types))
    start = 0
    for k, type_ in enumerate(types):
        if start <= part.start and part.start + part.length <= start + type_.shape[dim]:
            inside = Part(dim, part.start - start, part.length)
            return Pushed(tuple(inside if j == k else None for j in range(len(types))), only=k)
        start += type_.shape[dim]
    return None


def _cat(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    return _joined(attrs["dim"], types, part)


def _whole_cat(attrs: Attrs, types: Types, out: TensorType, part: Part) -> Pushed | None:
    slots, *dim = attrs["args"]
    if slots != tuple(Slot(k) for k in range(len(types))) or any(t.rank != out.rank for t in types):
        return None
    return _joined((dim[0] if dim else 0) % out.rank, types, part)


def part_of_slice(args: Sequence[Any], shape: Sequence[int]) -> Part | None:
    """What ``aten.slice`` with these arguments shows; ``None`` where it leaves out entries in between."""
    _, dim, start, end, step = (*args, *(0, None, None, 1)[len(args) - 1 :])
    dim %= len(shape)
    if step != 1:
        return None
    first, last, _ = slice(start, end).indices(shape[dim])
    return Part(dim, first, max(0, last - first))


_PUSHES: dict[str, Push] = {
    **dict.fromkeys((*CHEAP, *TRANSCENDENTAL, *BINARY, "masked_fill", "logical_not"), _pointwise),
    **dict.fromkeys((*REDUCTIONS, "var"), _reduction),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("max_pool", "avg_pool"), _pool),
    **{op: _norm(op) for op in NORMS},
    "batch_norm": _batch_norm,
    "expand": _expand,
    "permute": _permute,
    "reshape": _reshape,
    "narrow": _narrow,
    "cat": _cat,
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "conv": _conv,
    "attention": _attention,
}
_OPAQUE: dict[str, Push] = {
    "aten.select.int": _select,
    "aten.slice.Tensor": _slice,
    "aten.cat.default": _whole_cat,
    "aten.scaled_dot_product_attention.default": _whole_attention,
}
