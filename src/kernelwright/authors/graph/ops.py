"""The vocabulary: operations whose types, work and printing are known. Imports no torch.

Every entry infers its result from attributes and argument types, and counts its floating-point operations. Inference
raises ``TypeError`` where PyTorch would, or where the operation's simple form (one floating dtype, positive ``dims``)
is not met: a rule that builds such a term then does not fire.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from kernelwright.authors.graph import einsum
from kernelwright.authors.graph.ir import FLOATS, SCALAR, TensorType

Attrs = Mapping[str, Any]
Types = Sequence[TensorType]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of the vocabulary."""

    infer: Callable[[Attrs, Types], TensorType]
    flops: Callable[[Attrs, Types, TensorType], int]
    view: bool = False
    """The result shares storage with the argument: it costs a call, and moves no bytes."""


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that NumPy's rule gives; ``TypeError`` where there is none."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[int] = []
    for axis in range(rank):
        sizes = {s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0} - {1}
        if len(sizes) > 1:
            raise TypeError(f"shapes {shapes} do not broadcast")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def common_dtype(types: Types) -> str:
    """The one dtype of all tensors among ``types``; numbers (``const``) do not count. ``TypeError`` if they differ."""
    dtypes = {t.dtype for t in types if t.dtype != SCALAR}
    if len(dtypes) > 1:
        raise TypeError(f"mixed dtypes {sorted(dtypes)}")
    return dtypes.pop() if dtypes else SCALAR


def _float(types: Types) -> str:
    dtype = common_dtype(types)
    if dtype not in FLOATS:
        raise TypeError(f"{dtype} is not floating point")
    return dtype


def _pointwise(attrs: Attrs, types: Types) -> TensorType:
    numbers = all(t.dtype == SCALAR for t in types)
    return TensorType(broadcast(*(t.shape for t in types)), SCALAR if numbers else _float(types))


def _reduced(shape: tuple[int, ...], dims: Sequence[int], keepdim: bool) -> tuple[int, ...]:
    if any(d < 0 or d >= len(shape) for d in dims):
        raise TypeError(f"axes {dims} of shape {shape}")
    if keepdim:
        return tuple(1 if d in dims else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in dims)


def _reduction(attrs: Attrs, types: Types) -> TensorType:
    return TensorType(_reduced(types[0].shape, attrs["dims"], attrs["keepdim"]), _float(types))


def _same(attrs: Attrs, types: Types) -> TensorType:
    return TensorType(types[0].shape, _float(types))


def _reshape(attrs: Attrs, types: Types) -> TensorType:
    if prod(attrs["shape"]) != types[0].elements or types[0].dtype == SCALAR:
        raise TypeError(f"cannot reshape {types[0].shape} to {attrs['shape']}")
    return TensorType(tuple(attrs["shape"]), types[0].dtype)


def _permute(attrs: Attrs, types: Types) -> TensorType:
    if sorted(attrs["dims"]) != list(range(types[0].rank)):
        raise TypeError(f"{attrs['dims']} permutes no rank {types[0].rank}")
    return TensorType(tuple(types[0].shape[d] for d in attrs["dims"]), types[0].dtype)


def _expand(attrs: Attrs, types: Types) -> TensorType:
    if broadcast(types[0].shape, attrs["shape"]) != tuple(attrs["shape"]) or types[0].dtype == SCALAR:
        raise TypeError(f"cannot expand {types[0].shape} to {attrs['shape']}")
    return TensorType(tuple(attrs["shape"]), types[0].dtype)


def _linear(attrs: Attrs, types: Types) -> TensorType:
    x, weight, *bias = types
    if (
        weight.rank != 2
        or x.rank < 1
        or x.shape[-1] != weight.shape[1]
        or any(b.shape != weight.shape[:1] for b in bias)
    ):
        raise TypeError(f"linear of {x.shape} and {weight.shape}")
    return TensorType((*x.shape[:-1], weight.shape[0]), _float(types))


def _matmul(attrs: Attrs, types: Types) -> TensorType:
    a, b = types
    if a.rank < 2 or b.rank < 2 or a.shape[-1] != b.shape[-2]:
        raise TypeError(f"matmul of {a.shape} and {b.shape}")
    return TensorType((*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), _float(types))


def conv_positions(attrs: Attrs, size: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """Output size per axis of a convolution (or transposed convolution) with these attributes."""
    result: list[int] = []
    for axis, (n, taps) in enumerate(zip(size, kernel, strict=True)):
        stride, padding, dilation = (attrs[key][axis] for key in ("stride", "padding", "dilation"))
        reach = dilation * (taps - 1)
        if attrs["transposed"]:
            result.append((n - 1) * stride - 2 * padding + reach + attrs["output_padding"][axis] + 1)
        else:
            result.append((n + 2 * padding - reach - 1) // stride + 1)
    return tuple(result)


def _matvec(attrs: Attrs, types: Types) -> TensorType:
    a, b = types
    if a.rank < 2 or b.rank != 1 or a.shape[-1] != b.shape[0]:
        raise TypeError(f"matrix times vector of {a.shape} and {b.shape}")
    return TensorType(a.shape[:-1], _float(types))


def _einsum(attrs: Attrs, types: Types) -> TensorType:
    return TensorType(einsum.result_shape(attrs, types), _float(types))


def _triangular_product(attrs: Attrs, types: Types) -> TensorType:
    if types[0].rank != 2 or types[1].rank != 2:
        raise TypeError("triangular products of matrices only")
    return _matmul(attrs, types)


def _triangular_flops(attrs: Attrs, types: Types, out: TensorType) -> int:
    """By blocks of ``step`` rows, each without the inner positions and columns beyond the diagonal."""
    (rows, inner), columns = types[0].shape, types[1].shape[1]
    total = 0
    for start in range(0, rows, attrs["step"]):
        stop = min(start + attrs["step"], rows)
        depth, width = ((n - start if attrs["upper"] else min(stop, n)) for n in (inner, columns))
        total += 2 * (stop - start) * (depth if attrs["left"] else inner) * (width if attrs["result"] else columns)
    return total


def _conv(attrs: Attrs, types: Types) -> TensorType:
    x, weight, *bias = types
    if x.rank != weight.rank or x.rank < 3 or len(attrs["stride"]) != x.rank - 2:
        raise TypeError(f"convolution of {x.shape} and {weight.shape}")
    channels = weight.shape[1] * attrs["groups"] if attrs["transposed"] else weight.shape[0]
    expected = weight.shape[0] if attrs["transposed"] else weight.shape[1] * attrs["groups"]
    if x.shape[1] != expected or any(b.shape != (channels,) for b in bias):
        raise TypeError(f"convolution of {x.shape} and {weight.shape}")
    return TensorType((x.shape[0], channels, *conv_positions(attrs, x.shape[2:], weight.shape[2:])), _float(types))


def _conv_flops(attrs: Attrs, types: Types, out: TensorType) -> int:
    x, weight = types[:2]
    taps = prod(weight.shape[2:])
    if attrs["transposed"]:
        return 2 * x.elements * weight.shape[1] * taps
    return 2 * out.elements * weight.shape[1] * taps


def _batch_norm(attrs: Attrs, types: Types) -> TensorType:
    if types[0].rank < 2 or any(t.shape != types[0].shape[1:2] for t in types[1:]):
        raise TypeError(f"batch norm of {types[0].shape}")
    return TensorType(types[0].shape, _float(types))


def normalised_axes(op: str, attrs: Attrs, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes whose elements share a mean and a variance; of a group norm of several groups, channels in part."""
    if op == "layer_norm":
        return tuple(range(len(shape) - attrs["axes"], len(shape)))
    return tuple(range(2 if op == "instance_norm" else 1, len(shape)))


def _norm(op: str) -> Callable[[Attrs, Types], TensorType]:
    """Normalisation by statistics of the argument itself, with a scale and a shift or without both."""

    def infer(attrs: Attrs, types: Types) -> TensorType:
        x, *affine = types
        layer = op == "layer_norm"
        channels = x.shape[-attrs["axes"] :] if layer else x.shape[1:2]
        fits = attrs["axes"] in range(1, x.rank + 1) if layer else x.rank >= (2 if op == "group_norm" else 3)
        if op == "group_norm":
            fits = fits and x.shape[1] % attrs["groups"] == 0
        if not fits or len(affine) not in (0, 2) or any(a.shape != channels for a in affine):
            raise TypeError(f"{op} of {x.shape}")
        return TensorType(x.shape, _float(types))

    return infer


def _triangle(attrs: Attrs, types: Types) -> TensorType:
    if types[0].rank < 2:
        raise TypeError("a triangle needs two axes")
    return TensorType(types[0].shape, _float(types))


def _diag(attrs: Attrs, types: Types) -> TensorType:
    if types[0].rank != 1:
        raise TypeError("diag of a vector only")
    return TensorType(types[0].shape * 2, _float(types))


def _window_sums(attrs: Attrs, types: Types) -> TensorType:
    shape = list(types[0].shape)
    shape[attrs["dim"]] = len(attrs["windows"])
    return TensorType(tuple(shape), _float(types))


def _max_pool(attrs: Attrs, types: Types) -> TensorType:
    spatial: list[int] = []
    space = len(attrs["kernel"])
    for n, k, s, p, d in zip(
        types[0].shape[-space:], attrs["kernel"], attrs["stride"], attrs["padding"], attrs["dilation"], strict=True
    ):
        span = n + 2 * p - d * (k - 1) - 1
        count = -(-span // s) + 1 if attrs["ceil_mode"] else span // s + 1
        if attrs["ceil_mode"] and (count - 1) * s >= n + p:
            count -= 1  # the last window must start inside the input or its left padding
        spatial.append(count)
    return TensorType((*types[0].shape[:-space], *spatial), _float(types))


def _avg_pool(attrs: Attrs, types: Types) -> TensorType:
    space = len(attrs["kernel"])
    if types[0].rank <= space:
        raise TypeError(f"average pool of {types[0].shape}")
    sizes = zip(types[0].shape[-space:], attrs["kernel"], attrs["stride"], attrs["padding"], strict=True)
    return TensorType((*types[0].shape[:-space], *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes)), _float(types))


def _narrow(attrs: Attrs, types: Types) -> TensorType:
    shape, dim = list(types[0].shape), attrs["dim"]
    if not (0 <= dim < len(shape) and 0 <= attrs["start"] <= attrs["start"] + attrs["length"] <= shape[dim]):
        raise TypeError(f"no part {attrs} of {types[0].shape}")
    shape[dim] = attrs["length"]
    return TensorType(tuple(shape), types[0].dtype)


def _cat(attrs: Attrs, types: Types) -> TensorType:
    shape, dim = list(types[0].shape), attrs["dim"]
    rest = {t.shape[:dim] + t.shape[dim + 1 :] for t in types}
    if not 0 <= dim < len(shape) or len(rest) > 1 or any(t.rank != len(shape) for t in types):
        raise TypeError(f"cannot join {[t.shape for t in types]} along {dim}")
    shape[dim] = sum(t.shape[dim] for t in types)
    return TensorType(tuple(shape), common_dtype(types))


def _masked_fill(attrs: Attrs, types: Types) -> TensorType:
    x, mask = types
    if mask.dtype != "bool" or broadcast(x.shape, mask.shape) != x.shape:
        raise TypeError(f"mask {mask} of {x.shape}")
    return TensorType(x.shape, _float([x]))


def _logical_not(attrs: Attrs, types: Types) -> TensorType:
    if types[0].dtype != "bool":
        raise TypeError(f"not of {types[0].dtype}")
    return types[0]


def _attention(attrs: Attrs, types: Types) -> TensorType:
    """Queries, keys and values ``[…, positions, features]``, and a mask: true where scores count, or added to them."""
    q, k, v, *mask = types
    fits = q.rank == k.rank == v.rank >= 3 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise TypeError(f"attention of {q.shape}, {k.shape} and {v.shape}")
    scores = (*q.shape[:-1], k.shape[-2])
    if any(m.dtype not in ("bool", q.dtype) or broadcast(m.shape, scores) != scores for m in mask):
        raise TypeError(f"mask {mask} of {scores}")
    return TensorType((*q.shape[:-1], v.shape[-1]), _float([q, k, v]))


def _attention_flops(attrs: Attrs, types: Types, out: TensorType) -> int:
    q, k, v = types[:3]
    return 2 * prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1] + 6)


def _channels_last(attrs: Attrs, types: Types) -> TensorType:
    if types[0].rank not in (4, 5):
        raise TypeError(f"channels-last is a layout of 4 or 5 axes, not of {types[0].shape}")
    return types[0]


def _elements(cost: int) -> Callable[[Attrs, Types, TensorType], int]:
    return lambda attrs, types, out: cost * out.elements


def _inputs(cost: int) -> Callable[[Attrs, Types, TensorType], int]:
    return lambda attrs, types, out: cost * types[0].elements


def _free(attrs: Attrs, types: Types, out: TensorType) -> int:
    return 0


CHEAP = ("relu", "neg", "abs", "clamp", "leaky_relu", "reciprocal", "sqrt", "rsqrt", "hardswish", "hardsigmoid")
TRANSCENDENTAL = ("sigmoid", "tanh", "exp", "log", "erf", "gelu", "silu", "mish", "softplus", "power")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")
REDUCTIONS = ("sum", "mean", "amax", "amin", "logsumexp")
NORMS = ("group_norm", "instance_norm", "layer_norm")

VOCABULARY: dict[str, Op] = {
    **{name: Op(_pointwise, _elements(1)) for name in (*CHEAP, *BINARY)},
    **{name: Op(_pointwise, _elements(10)) for name in TRANSCENDENTAL},
    **{name: Op(_reduction, _inputs(10 if name == "logsumexp" else 1)) for name in REDUCTIONS},
    "var": Op(_reduction, _inputs(4)),
    **{name: Op(_norm(name), _elements(8)) for name in NORMS},
    "softmax": Op(_same, _elements(12)),
    "log_softmax": Op(_same, _elements(12)),
    "reshape": Op(_reshape, _free, view=True),
    "permute": Op(_permute, _free, view=True),
    "expand": Op(_expand, _free, view=True),
    "narrow": Op(_narrow, _free, view=True),
    "cat": Op(_cat, _free),
    "linear": Op(_linear, lambda attrs, types, out: 2 * out.elements * types[1].shape[1]),
    "matmul": Op(_matmul, lambda attrs, types, out: 2 * out.elements * types[0].shape[-1]),
    "matvec": Op(_matvec, lambda attrs, types, out: 2 * types[0].elements),
    "einsum": Op(_einsum, einsum.flops),
    "triangular_product": Op(_triangular_product, _triangular_flops),
    "conv": Op(_conv, _conv_flops),
    "batch_norm": Op(_batch_norm, _elements(4)),
    "tril": Op(_triangle, _elements(1)),
    "triu": Op(_triangle, _elements(1)),
    "diag": Op(_diag, _elements(1)),
    "window_sums": Op(_window_sums, _inputs(2)),
    "max_pool": Op(_max_pool, lambda attrs, types, out: out.elements * prod(attrs["kernel"])),
    "masked_fill": Op(_masked_fill, _elements(1)),
    "logical_not": Op(_logical_not, _elements(1)),
    "attention": Op(_attention, _attention_flops),
    "channels_last": Op(_channels_last, _free),
    "avg_pool": Op(_avg_pool, lambda attrs, types, out: out.elements * prod(attrs["kernel"])),
}
LEAVES = frozenset({"input", "weight", "const", "full"})
