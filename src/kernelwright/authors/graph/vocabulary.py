"""Which ATen calls mean which operations of the vocabulary. Sources: PyTorch's native_functions.yaml.

A maker answers ``None``, or lets ``TypeError`` pass, where this use of the call is outside the vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node as FxNode

from kernelwright.authors.graph.einsum import Equation
from kernelwright.authors.graph.lower import Bound, Lowering, Maker, used_parts


def _unary(op: str, **fixed: str) -> Maker:
    """``fixed`` names attributes that are copied from schema arguments."""

    def make(low: Lowering, node: FxNode, a: Bound) -> int:
        return low.make(op, a["self"], **{ours: a[theirs] for ours, theirs in fixed.items()})

    return make


def _clamp(low: Lowering, node: FxNode, a: Bound) -> int | None:
    low_end, high_end = (a.get(key, a.get(f"{key}_val")) for key in ("min", "max"))
    if any(isinstance(end, FxNode) for end in (low_end, high_end)):
        return None
    return low.make("clamp", a["self"], min=_number(low_end), max=_number(high_end))


def _relu6(low: Lowering, node: FxNode, a: Bound) -> int:
    return low.make("clamp", a["self"], min=0.0, max=6.0)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _binary(op: str) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        left, right = a["self"], a["other"]
        if a.get("rounding_mode") is not None:
            return None
        scale = a.get("alpha", 1)
        if scale == 1:
            return low.make(op, left, right)
        if not isinstance(right, FxNode):
            return low.make(op, left, scale * right)
        return low.join(op, low.arg(left), low.make("mul", right, scale))

    return make


def _rsub(low: Lowering, node: FxNode, a: Bound) -> int | None:
    return low.make("sub", a["other"], a["self"]) if a["alpha"] == 1 else None


def _reduce(op: str) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        x = low.type(a["self"])
        if a.get("dtype") is not None and a["dtype"] is not getattr(torch, x.dtype):
            return None
        if isinstance(node.meta["val"], tuple | list) and used_parts(node) - {0}:
            return None  # the indices of max and min are wanted as well
        return low.make(op, a["self"], dims=_axes(a.get("dim"), x.rank), keepdim=bool(a.get("keepdim", False)))

    return make


def _extreme(reduction: str, pair: str) -> Maker:
    """``max`` of one tensor along axes, or of two tensors elementwise."""

    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        return (_binary(pair) if "other" in a else _reduce(reduction))(low, node, a)

    return make


def _axes(dim: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, sorted; all of them for ``None`` or an empty list."""
    if dim is None or dim == []:
        return tuple(range(rank))
    return (
        tuple(sorted({d % rank if rank else 0 for d in (dim if isinstance(dim, Sequence) else [dim])})) if rank else ()
    )


def _softmax(op: str) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        x = low.type(a["self"])
        if a.get("half_to_float") or (a.get("dtype") is not None and a["dtype"] is not getattr(torch, x.dtype)):
            return None
        return low.make(op, a["self"], dim=a["dim"] % x.rank) if x.rank else None

    return make


def _reshape(low: Lowering, node: FxNode, a: Bound) -> int | None:
    shape = tuple(node.meta["val"].shape)
    if node.meta["val"].dtype is not getattr(torch, low.type(a["self"]).dtype):
        return None
    return (
        _identity(low, node, a) if shape == low.type(a["self"]).shape else low.make("reshape", a["self"], shape=shape)
    )


def _expand(low: Lowering, node: FxNode, a: Bound) -> int:
    shape = tuple(node.meta["val"].shape)
    return low.place[a["self"]] if shape == low.type(a["self"]).shape else low.make("expand", a["self"], shape=shape)


def _permute(low: Lowering, node: FxNode, a: Bound) -> int | None:
    rank = low.type(a["self"]).rank
    order = list(range(rank))
    if "dims" in a:
        order = [d % rank for d in a["dims"]]
    elif "dim0" in a:
        first, second = a["dim0"] % rank, a["dim1"] % rank
        order[first], order[second] = order[second], order[first]
    else:
        order.reverse()  # t() and .T
    if order == list(range(rank)):
        return low.place[a["self"]]
    return low.make("permute", a["self"], dims=tuple(order))


def _identity(low: Lowering, node: FxNode, a: Bound) -> int | None:
    source = a.get("self", a.get("input"))
    same = isinstance(source, FxNode) and low.type(source).dtype == str(node.meta["val"].dtype).removeprefix("torch.")
    return low.place[source] if same and not low.keep_layout else None


def _dropout(low: Lowering, node: FxNode, a: Bound) -> int | None:
    return None if a["train"] else _identity(low, node, a)


def _linear(low: Lowering, node: FxNode, a: Bound) -> int:
    return low.make("linear", *_given(a["input"], a["weight"], a["bias"]))


def _matmul(low: Lowering, node: FxNode, a: Bound) -> int:
    right = a.get("other", a.get("mat2", a.get("vec")))
    return low.make("matvec" if low.type(right).rank == 1 else "matmul", a["self"], right)


def _einsum(low: Lowering, node: FxNode, a: Bound) -> int:
    """A sum over the last axis of the first and the first axis of the second of two tensors is a product.

    The ``path`` that opt_einsum found is an order to multiply in, and left out: who computes the sum finds it again.
    """
    equation = str(Equation.parse(a["equation"]))
    sides, _, result = equation.partition("->")
    left, _, right = sides.partition(",")
    letters = left + right[1:]
    plain = letters.isalpha() and len(set(letters)) == len(letters) and len(left) > 1 and len(right) == 2
    if plain and right[0] == left[-1] and result == left[:-1] + right[1] and len(a["tensors"]) == 2:
        return low.make("matmul", *a["tensors"])
    return low.make("einsum", *a["tensors"], equation=equation)


def _given(*operands: Any) -> list[Any]:
    return [o for o in operands if o is not None]


def _conv(low: Lowering, node: FxNode, a: Bound) -> int | None:
    rank = low.type(a["weight"]).rank - 2
    padding = a["padding"]
    stride, dilation = _per_axis(a["stride"], rank), _per_axis(a["dilation"], rank)
    if padding == "valid":
        padding = [0]
    elif padding == "same":
        reach = [d * (k - 1) for d, k in zip(dilation, low.type(a["weight"]).shape[2:], strict=True)]
        if any(r % 2 for r in reach):
            return None  # PyTorch then pads one more at the end
        padding = [r // 2 for r in reach]
    return low.make(
        "conv",
        *_given(a["input"], a["weight"], a["bias"]),
        stride=stride,
        padding=_per_axis(padding, rank),
        dilation=dilation,
        groups=a["groups"],
        transposed=bool(a.get("transposed", "output_padding" in a)),
        output_padding=_per_axis(a.get("output_padding", [0]), rank),
    )


def _per_axis(value: Any, rank: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * rank if len(values) == 1 else values


def _batch_norm(low: Lowering, node: FxNode, a: Bound) -> int | None:
    parts = [a["input"], a["weight"], a["bias"], a["running_mean"], a["running_var"]]
    if a.get("training") or any(p is None for p in parts):
        return None
    return low.make("batch_norm", *parts, eps=float(a["eps"]))


def _triangle(op: str) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int:
        return low.make(op, a["self"], diagonal=a["diagonal"])

    return make


def _diag(low: Lowering, node: FxNode, a: Bound) -> int | None:
    plain = a.get("diagonal", a.get("offset")) == 0 and (a.get("dim1", -2), a.get("dim2", -1)) in ((-2, -1), (0, 1))
    return low.make("diag", a["self"]) if plain else None


def _average_pool(rank: int) -> Maker:
    """Pooling to one value per channel is a mean over the positions."""

    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        x = low.type(a["self"])
        size = x.shape[-rank:]
        if "output_size" in a:
            wanted = _per_axis(a["output_size"], rank)
            if any(m is None or n % m for n, m in zip(size, wanted, strict=True)):
                return None  # windows of different sizes
            kernel = stride = tuple(n // m for n, m in zip(size, wanted, strict=True))
            padding, include_pad = (0,) * rank, True
        else:
            if a["ceil_mode"] or a.get("divisor_override"):
                return None
            kernel = _per_axis(a["kernel_size"], rank)
            stride = _per_axis(a["stride"], rank) if a["stride"] else kernel
            padding, include_pad = _per_axis(a["padding"], rank), bool(a["count_include_pad"])
        if kernel == size and not any(padding):
            return low.make("mean", a["self"], dims=tuple(range(x.rank - rank, x.rank)), keepdim=True)
        return low.make("avg_pool", a["self"], kernel=kernel, stride=stride, padding=padding, include_pad=include_pad)

    return make


def _norm(op: str) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        if a.get("running_mean") is not None or a.get("running_var") is not None:
            return None
        if (a["weight"] is None) != (a["bias"] is None):
            return None
        own: dict[str, int] = {"group_norm": {"groups": a.get("num_groups")}, "instance_norm": {}}.get(
            op, {"axes": len(a.get("normalized_shape", ()))}
        )
        return low.make(op, *_given(a["input"], a["weight"], a["bias"]), eps=float(a["eps"]), **own)

    return make


def _masked_fill(low: Lowering, node: FxNode, a: Bound) -> int | None:
    if isinstance(a["value"], FxNode):
        return None
    return low.make("masked_fill", a["self"], a["mask"], value=float(a["value"]))


def _softplus(low: Lowering, node: FxNode, a: Bound) -> int | None:
    return low.make("softplus", a["self"]) if (a["beta"], a["threshold"]) == (1, 20) else None


def _power(low: Lowering, node: FxNode, a: Bound) -> int | None:
    return None if isinstance(a["exponent"], FxNode) else low.make("power", a["self"], exponent=a["exponent"])


def _max_pool(rank: int) -> Maker:
    def make(low: Lowering, node: FxNode, a: Bound) -> int | None:
        if isinstance(node.meta["val"], tuple | list) and used_parts(node) - {0}:
            return None
        kernel = _per_axis(a["kernel_size"], rank)
        return low.make(
            "max_pool",
            a["self"],
            kernel=kernel,
            stride=_per_axis(a["stride"], rank) if a["stride"] else kernel,
            padding=_per_axis(a["padding"], rank),
            dilation=_per_axis(a["dilation"], rank),
            ceil_mode=bool(a["ceil_mode"]),
        )

    return make


MAKERS: dict[str, Maker] = {
    **{
        name: _unary(name)
        for name in (
            "relu",
            "neg",
            "abs",
            "sigmoid",
            "tanh",
            "exp",
            "log",
            "erf",
            "sqrt",
            "rsqrt",
            "reciprocal",
            "silu",
            "mish",
            "hardswish",
            "hardsigmoid",
        )
    },
    "gelu": _unary("gelu", approximate="approximate"),
    "leaky_relu": _unary("leaky_relu", slope="negative_slope"),
    **dict.fromkeys(("clamp", "clip", "hardtanh", "clamp_min", "clamp_max"), _clamp),
    "relu6": _relu6,
    "masked_fill": _masked_fill,
    "softplus": _softplus,
    "pow": _power,
    **{name: _binary(name) for name in ("add", "sub", "mul", "div", "maximum", "minimum")},
    "subtract": _binary("sub"),
    "multiply": _binary("mul"),
    "divide": _binary("div"),
    "rsub": _rsub,
    **{name: _reduce(name) for name in ("sum", "mean", "amax", "amin", "logsumexp")},
    "max": _extreme("amax", "maximum"),
    "min": _extreme("amin", "minimum"),
    "softmax": _softmax("softmax"),
    "_softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "_log_softmax": _softmax("log_softmax"),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten", "unflatten"), _reshape),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    **dict.fromkeys(("permute", "transpose", "swapaxes", "t", "numpy_T"), _permute),
    **dict.fromkeys(
        ("clone", "contiguous", "alias", "detach", "lift_fresh", "lift_fresh_copy", "_to_copy", "to"), _identity
    ),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), _matmul),
    "einsum": _einsum,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _conv),
    **{f"conv_transpose{n}d": _conv for n in (1, 2, 3)},
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), _batch_norm),
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "diag": _diag,
    "diag_embed": _diag,
    **{f"adaptive_avg_pool{n}d": _average_pool(n) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _average_pool(n) for n in (1, 2, 3)},
    **{name: _norm(name) for name in ("group_norm", "instance_norm", "layer_norm")},
    **{f"max_pool{n}d": _max_pool(n) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _max_pool(n) for n in (2, 3)},
}
