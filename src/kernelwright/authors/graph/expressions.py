"""One operation as one expression of plain PyTorch."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from kernelwright.authors.graph.calls import bare, call
from kernelwright.authors.graph.ir import Node, TensorType
from kernelwright.authors.graph.literals import value_code
from kernelwright.authors.graph.opaque import opaque_expression

Args = Sequence[str]
Shapes = Sequence[tuple[int, ...]]


def expression(node: Node, args: Args, types: Sequence[TensorType], device: str) -> str:
    """The code that computes ``node`` from the expressions ``args``. ``device`` is printed where a call names one."""
    if node.op == "opaque":
        return opaque_expression(node, args, device)
    if node.op == "full":
        placed = f", device={device}" if device else ""
        return f"torch.full({value_code(_shape(node))}, {value_code(node.attr['value'])}, dtype={_dtype(node)}{placed})"
    if node.op == "call":
        return call(node.attr["function"], *args, *map(value_code, node.attr.get("more", ())))
    if node.op == "getitem":
        return f"{args[0]}[{node.attr['index']}]"
    return _PRINTERS[node.op](node.attr, args, [t.shape for t in types], _shape(node))


def _shape(node: Node) -> tuple[int, ...]:
    assert isinstance(node.type, TensorType)
    return node.type.shape


def _dtype(node: Node) -> str:
    assert isinstance(node.type, TensorType)
    return f"torch.{node.type.dtype}"


def _function(name: str) -> Callable[..., str]:
    return lambda attrs, args, shapes, out: call(name, *args)


def _infix(sign: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        left, right = args
        if sign == "+" and right.startswith("-"):
            return f"{left} - {right[1:]}"
        return f"{left} {sign} {right}"

    return show


def _elementwise_pair(name: str) -> Callable[..., str]:
    """``maximum`` takes no numbers: those are bounds."""

    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        return call(name, *args)

    return show


def _clamp(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    bounds = {side: value_code(attrs[side]) for side in ("min", "max") if attrs[side] is not None}
    return call("torch.clamp", args[0], **bounds)


def _gelu(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("F.gelu", args[0], approximate=None if attrs["approximate"] == "none" else repr(attrs["approximate"]))


def _leaky_relu(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("F.leaky_relu", args[0], value_code(attrs["slope"]))


def _reduction(name: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        dims = attrs["dims"]
        keep = "True" if attrs["keepdim"] else None
        whole = len(dims) == len(shapes[0]) and keep is None and name != "logsumexp"
        axes = [] if whole else [str(dims[0]) if len(dims) == 1 else value_code(dims)]
        if name == "logsumexp":
            return call("torch.logsumexp", args[0], *axes, keepdim=keep)
        return call(f"{args[0]}.{name}", *axes, keepdim=keep)

    return show


def _softmax(name: str) -> Callable[..., str]:
    return lambda attrs, args, shapes, out: call(f"F.{name}", args[0], dim=str(attrs["dim"]))


def _reshape(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    source = shapes[0]
    for axis in range(len(out)):
        if out[axis] == 1 and out[:axis] + out[axis + 1 :] == source:
            return f"{args[0]}.unsqueeze({axis - len(out) if axis == len(out) - 1 else axis})"
    for axis in range(len(source)):
        if source[axis] == 1 and source[:axis] + source[axis + 1 :] == out:
            return f"{args[0]}.squeeze({axis - len(source) if axis == len(source) - 1 else axis})"
    if out and len(out) < len(source) and source[: len(out) - 1] == out[:-1]:
        return f"{args[0]}.flatten({len(out) - 1})" if len(out) > 1 else f"{args[0]}.flatten()"
    return call(f"{args[0]}.reshape", *map(str, out)) if out else f"{args[0]}.reshape(())"


def _permute(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    dims = attrs["dims"]
    moved = [axis for axis, source in enumerate(dims) if axis != source]
    if len(moved) != 2:
        return call(f"{args[0]}.permute", *map(str, dims))
    if len(dims) == 2:
        return f"{args[0]}.T"
    return (
        f"{args[0]}.mT" if moved == [len(dims) - 2, len(dims) - 1] else f"{args[0]}.transpose({moved[0]}, {moved[1]})"
    )


def _expand(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call(f"{args[0]}.expand", *map(str, out))


def _conv(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    rank = len(out) - 2

    def unless(key: str, default: int) -> str | None:
        value = attrs[key]
        if value in (default, (default,) * rank):
            return None
        return str(value) if isinstance(value, int) else str(value[0]) if len(set(value)) == 1 else str(tuple(value))

    transposed = attrs["transposed"]
    return call(
        f"F.conv{'_transpose' if transposed else ''}{rank}d",
        *args,
        stride=unless("stride", 1),
        padding=unless("padding", 0),
        output_padding=unless("output_padding", 0) if transposed else None,
        groups=unless("groups", 1),
        dilation=unless("dilation", 1),
    )


def _batch_norm(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    x, weight, bias, mean, var = args
    eps = None if attrs["eps"] == 1e-5 else value_code(attrs["eps"])
    return call("F.batch_norm", x, mean, var, weight, bias, eps=eps)


def _triangle(name: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        return call(f"torch.{name}", args[0], *([str(attrs["diagonal"])] if attrs["diagonal"] else []))

    return show


def _window_sums(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("window_sums", args[0], str(attrs["dim"]), str([tuple(window) for window in attrs["windows"]]))


def _triangular_product(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    switches = {name: "True" if attrs[name] else None for name in ("upper", "left", "result", "mask")}
    return call("triangular_product", *args, str(attrs["step"]), **switches)


def _max_pool(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    def one(key: str) -> str:
        return str(attrs[key][0]) if len(set(attrs[key])) == 1 else str(tuple(attrs[key]))

    return call(
        f"F.max_pool{len(attrs['kernel'])}d",
        args[0],
        one("kernel"),
        stride=None if attrs["stride"] == attrs["kernel"] else one("stride"),
        padding=one("padding") if any(attrs["padding"]) else None,
        dilation=one("dilation") if prod(attrs["dilation"]) != 1 else None,
        ceil_mode="True" if attrs["ceil_mode"] else None,
    )


def _avg_pool(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    def one(key: str) -> str:
        return str(attrs[key][0]) if len(set(attrs[key])) == 1 else str(tuple(attrs[key]))

    padded = any(attrs["padding"])
    return call(
        f"F.avg_pool{len(attrs['kernel'])}d",
        args[0],
        one("kernel"),
        stride=None if attrs["stride"] == attrs["kernel"] else one("stride"),
        padding=one("padding") if padded else None,
        count_include_pad="False" if padded and not attrs["include_pad"] else None,
    )


def _norm(name: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        x, *affine = args
        eps = None if attrs["eps"] == 1e-5 else value_code(attrs["eps"])
        if name == "instance_norm":
            scale, shift = affine or (None, None)
            return call("F.instance_norm", x, weight=scale, bias=shift, eps=eps)
        over = str(attrs["groups"]) if name == "group_norm" else value_code(shapes[0][-attrs["axes"] :])
        return call(f"F.{name}", x, over, *affine, eps=eps)

    return show


def _var(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    keep = "True" if attrs["keepdim"] else None
    return call(f"{args[0]}.var", value_code(attrs["dims"]), correction="0", keepdim=keep)


def _power(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("torch.pow", args[0], value_code(attrs["exponent"]))


def _narrow(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    start, stop = attrs["start"], attrs["start"] + attrs["length"]
    return f"{args[0]}[{':, ' * attrs['dim']}{start or ''}:{'' if stop == shapes[0][attrs['dim']] else stop}]"


def _cat(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("torch.cat", f"[{', '.join(map(bare, args))}]", *([str(attrs["dim"])] if attrs["dim"] else []))


def _masked_fill(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call(f"{args[0]}.masked_fill", args[1], value_code(attrs["value"]))


def _attention(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    mask = args[3] if len(args) == 4 else None
    scale = None if attrs["scale"] == shapes[0][-1] ** -0.5 else value_code(attrs["scale"])
    return call("F.scaled_dot_product_attention", *args[:3], attn_mask=mask, scale=scale)


def _einsum(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return call("torch.einsum", f'"{attrs["equation"]}"', *args)


def _channels_last(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    layout = "torch.channels_last" if len(out) == 4 else "torch.channels_last_3d"
    return call(f"{args[0]}.contiguous", memory_format=layout)


_PRINTERS: dict[str, Callable[..., str]] = {
    **{
        name: _function(f"torch.{name}")
        for name in ("relu", "neg", "abs", "reciprocal", "sqrt", "rsqrt", "sigmoid", "tanh", "exp", "log", "erf")
    },
    **{name: _function(f"F.{name}") for name in ("silu", "mish", "softplus", "hardswish", "hardsigmoid")},
    "power": _power,
    "neg": lambda attrs, args, shapes, out: f"-{args[0]}",
    "clamp": _clamp,
    "gelu": _gelu,
    "leaky_relu": _leaky_relu,
    "add": _infix("+"),
    "sub": _infix("-"),
    "mul": _infix("*"),
    "div": _infix("/"),
    "maximum": _elementwise_pair("torch.maximum"),
    "minimum": _elementwise_pair("torch.minimum"),
    **{name: _reduction(name) for name in ("sum", "mean", "amax", "amin", "logsumexp")},
    "var": _var,
    **{name: _norm(name) for name in ("group_norm", "instance_norm", "layer_norm")},
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "narrow": _narrow,
    "cat": _cat,
    "linear": _function("F.linear"),
    "matmul": _infix("@"),
    "matvec": _infix("@"),
    "einsum": _einsum,
    "triangular_product": _triangular_product,
    "conv": _conv,
    "batch_norm": _batch_norm,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "diag": _function("torch.diag"),
    "window_sums": _window_sums,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "channels_last": _channels_last,
    "masked_fill": _masked_fill,
    "logical_not": lambda attrs, args, shapes, out: f"~{args[0]}",
    "attention": _attention,
}
