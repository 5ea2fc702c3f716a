"""One operation as one expression of plain PyTorch."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from kernelwright.authors.graph.ir import Device, Node, Slot, TensorType
from kernelwright.authors.graph.literals import value_code

Args = Sequence[str]
Shapes = Sequence[tuple[int, ...]]


def expression(node: Node, args: Args, types: Sequence[TensorType], device: str) -> str:
    """The code that computes ``node`` from the expressions ``args``. ``device`` is printed where a call names one."""
    if node.op == "opaque":
        return _opaque(node, args, device)
    if node.op == "full":
        placed = f", device={device}" if device else ""
        return f"torch.full({value_code(_shape(node))}, {value_code(node.attr['value'])}, dtype={_dtype(node)}{placed})"
    if node.op == "getitem":
        return f"{args[0]}[{node.attr['index']}]"
    return _PRINTERS[node.op](node.attr, args, [t.shape for t in types], _shape(node))


def _shape(node: Node) -> tuple[int, ...]:
    assert isinstance(node.type, TensorType)
    return node.type.shape


def _dtype(node: Node) -> str:
    assert isinstance(node.type, TensorType)
    return f"torch.{node.type.dtype}"


def _call(function: str, *parts: str, **keywords: str | None) -> str:
    """A call; keywords that are ``None`` are left out."""
    named = (f"{k}={bare(v)}" for k, v in keywords.items() if v is not None)
    return f"{function}({', '.join([*map(bare, parts), *named])})"


def bare(code: str) -> str:
    """The expression without parentheses around the whole of it, which an argument does not need."""
    depth = 0
    for position, sign in enumerate(code):
        depth += (sign in "([{") - (sign in ")]}")
        whole = depth == 0 and position == len(code) - 1 and code.startswith("(")
        if depth == 0 and not whole or (depth == 1 and sign == ","):
            return code
    return code[1:-1] if code else code


def grouped(code: str) -> str:
    """The expression as an operand: in parentheses where it is an operation written with a sign."""
    depth = 0
    for sign in code:
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign == " ":
            return f"({code})"
    return f"({code})" if code.startswith("-") else code


def _function(name: str) -> Callable[..., str]:
    return lambda attrs, args, shapes, out: _call(name, *args)


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
        return _call(name, *args)

    return show


def _clamp(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    bounds = {side: value_code(attrs[side]) for side in ("min", "max") if attrs[side] is not None}
    return _call("torch.clamp", args[0], **bounds)


def _gelu(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return _call("F.gelu", args[0], approximate=None if attrs["approximate"] == "none" else repr(attrs["approximate"]))


def _leaky_relu(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return _call("F.leaky_relu", args[0], value_code(attrs["slope"]))


def _reduction(name: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        dims = attrs["dims"]
        keep = "True" if attrs["keepdim"] else None
        whole = len(dims) == len(shapes[0]) and keep is None and name != "logsumexp"
        axes = [] if whole else [str(dims[0]) if len(dims) == 1 else value_code(dims)]
        if name == "logsumexp":
            return _call("torch.logsumexp", args[0], *axes, keepdim=keep)
        return _call(f"{args[0]}.{name}", *axes, keepdim=keep)

    return show


def _softmax(name: str) -> Callable[..., str]:
    return lambda attrs, args, shapes, out: _call(f"F.{name}", args[0], dim=str(attrs["dim"]))


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
    return _call(f"{args[0]}.reshape", *map(str, out)) if out else f"{args[0]}.reshape(())"


def _permute(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    dims = attrs["dims"]
    moved = [axis for axis, source in enumerate(dims) if axis != source]
    if len(moved) != 2:
        return _call(f"{args[0]}.permute", *map(str, dims))
    if len(dims) == 2:
        return f"{args[0]}.T"
    return (
        f"{args[0]}.mT" if moved == [len(dims) - 2, len(dims) - 1] else f"{args[0]}.transpose({moved[0]}, {moved[1]})"
    )


def _expand(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return _call(f"{args[0]}.expand", *map(str, out))


def _conv(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    rank = len(out) - 2

    def unless(key: str, default: int) -> str | None:
        value = attrs[key]
        if value in (default, (default,) * rank):
            return None
        return str(value) if isinstance(value, int) else str(value[0]) if len(set(value)) == 1 else str(tuple(value))

    transposed = attrs["transposed"]
    return _call(
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
    return _call("F.batch_norm", x, mean, var, weight, bias, eps=eps)


def _triangle(name: str) -> Callable[..., str]:
    def show(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
        return _call(f"torch.{name}", args[0], *([str(attrs["diagonal"])] if attrs["diagonal"] else []))

    return show


def _window_sums(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    return _call("window_sums", args[0], str(attrs["dim"]), str([tuple(window) for window in attrs["windows"]]))


def _triangular_product(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    switches = {name: "True" if attrs[name] else None for name in ("upper", "left", "result", "mask")}
    return _call("triangular_product", *args, str(attrs["step"]), **switches)


def _max_pool(attrs: dict[str, Any], args: Args, shapes: Shapes, out: tuple[int, ...]) -> str:
    def one(key: str) -> str:
        return str(attrs[key][0]) if len(set(attrs[key])) == 1 else str(tuple(attrs[key]))

    return _call(
        f"F.max_pool{len(attrs['kernel'])}d",
        args[0],
        one("kernel"),
        stride=None if attrs["stride"] == attrs["kernel"] else one("stride"),
        padding=one("padding") if any(attrs["padding"]) else None,
        dilation=one("dilation") if prod(attrs["dilation"]) != 1 else None,
        ceil_mode="True" if attrs["ceil_mode"] else None,
    )


_PRINTERS: dict[str, Callable[..., str]] = {
    **{
        name: _function(f"torch.{name}")
        for name in ("relu", "neg", "abs", "reciprocal", "sqrt", "rsqrt", "sigmoid", "tanh", "exp", "log", "erf")
    },
    "silu": _function("F.silu"),
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
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "linear": _function("F.linear"),
    "matmul": _infix("@"),
    "matvec": _infix("@"),
    "triangular_product": _triangular_product,
    "conv": _conv,
    "batch_norm": _batch_norm,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "diag": _function("torch.diag"),
    "window_sums": _window_sums,
    "max_pool": _max_pool,
}


def _opaque(node: Node, args: Args, device: str) -> str:
    """A call that the vocabulary does not know, as ``F.name``, ``torch.name`` or the ATen operator itself."""
    attrs = node.attr
    namespace, name, _ = attrs["target"].split(".")

    def show(value: Any) -> str:
        if isinstance(value, Slot):
            return args[value.position]
        if isinstance(value, Device):
            return device or '"cpu"'
        if isinstance(value, tuple):
            return "[" + ", ".join(show(v) for v in value) + "]"
        return value_code(value)

    declared = operator_schema(attrs["target"]).arguments
    given = list(attrs["args"])
    while given and declared[len(given) - 1].has_default_value() and declared[len(given) - 1].default_value == given[-1]:
        given.pop()
    parts = [show(v) for v in given]
    keywords = {k: show(v) for k, v in attrs["kwargs"]}
    if namespace == "aten" and name in _OPAQUE:
        made = _OPAQUE[name](parts, keywords)
        if made is not None:
            return made
    if namespace == "aten" and hasattr(torch._C._VariableFunctions, name) and not name.startswith("_"):
        return _call(f"torch.{name}", *parts, **keywords)
    builtin = getattr(torch._C._nn, name, None)
    if namespace == "aten" and builtin is not None and getattr(F, name, None) is builtin:
        return _call(f"F.{name}", *parts, **keywords)
    return _call(f"torch.ops.{namespace}.{name}", *parts, **keywords)


def operator_schema(target: str) -> Any:
    """The schema of the ATen operator named ``aten.name.overload``."""
    namespace, name, overload = target.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), name), overload)._schema


def _slice(parts: list[str], keywords: dict[str, str]) -> str | None:
    """``x[:, 2:5]`` for ``aten.slice(x, 1, 2, 5)``."""
    source, axis, start, end, step = (*parts, *("0", "None", "None", "1")[len(parts) - 1 :])
    if keywords or not axis.isdecimal():
        return None
    begin = "" if start in ("None", "0") else start
    finish = "" if end in ("None", str(2**63 - 1)) else end
    return f"{source}[{':, ' * int(axis)}{begin}:{finish}{'' if step == '1' else ':' + step}]"


def _select(parts: list[str], keywords: dict[str, str]) -> str | None:
    source, axis, index = parts
    return f"{source}[{':, ' * int(axis)}{index}]" if axis.isdecimal() else None


def _index(parts: list[str], keywords: dict[str, str]) -> str | None:
    """``x[:, rows]`` for ``aten.index(x, [None, rows])``."""
    indices = parts[1].removeprefix("[").removesuffix("]")
    names = [i.strip() for i in indices.split(",")]
    plain = all(n.replace(".", "").replace("_", "").isalnum() for n in names)
    return f"{parts[0]}[{', '.join(':' if n == 'None' else n for n in names)}]" if plain else None


def _embedding(parts: list[str], keywords: dict[str, str]) -> str:
    return f"F.embedding({parts[1]}, {parts[0]})"  # padding_idx and the rest only steer gradients


def _norm(name: str) -> Callable[[list[str], dict[str, str]], str | None]:
    """layer_norm and group_norm: the last argument (cudnn_enabled) is the operator's own business."""
    return lambda parts, keywords: _call(f"F.{name}", *parts[:5], **{k: v for k, v in keywords.items() if k == "eps"})


def _convert(parts: list[str], keywords: dict[str, str]) -> str | None:
    """``x.to(torch.float16)``; the device is the module's own, so only the dtype is kept."""
    dtypes = [p for p in (*parts[1:], *keywords.values()) if p.startswith("torch.") and "format" not in p]
    dtypes = [d for d in dtypes if isinstance(getattr(torch, d.removeprefix("torch."), None), torch.dtype)]
    return f"{parts[0]}.to({dtypes[0]})" if len(dtypes) == 1 else None


def _attention(parts: list[str], keywords: dict[str, str]) -> str:
    names = ("attn_mask", "dropout_p", "is_causal")
    named = {n: p for n, p in zip(names, parts[3:], strict=False) if p not in ("None", "0.0", "False")}
    return _call("F.scaled_dot_product_attention", *parts[:3], **named, **keywords)


def _infix_call(symbol: str) -> Callable[[list[str], dict[str, str]], str | None]:
    return lambda parts, keywords: None if keywords or len(parts) != 2 else f"{parts[0]} {symbol} {parts[1]}"


def _plain(name: str) -> Callable[[list[str], dict[str, str]], str | None]:
    return lambda parts, keywords: _call(name, *parts, **keywords)


_SYMBOLS = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "bitwise_and": "&",
    "bitwise_or": "|",
}

_OPAQUE: dict[str, Callable[[list[str], dict[str, str]], str | None]] = {
    "slice": _slice,
    "select": _select,
    "index": _index,
    "embedding": _embedding,
    "layer_norm": _norm("layer_norm"),
    "group_norm": _norm("group_norm"),
    "_to_copy": _convert,
    "to": _convert,
    "scaled_dot_product_attention": _attention,
    "hardswish": _plain("F.hardswish"),
    "hardsigmoid": _plain("F.hardsigmoid"),
    "mish": _plain("F.mish"),
    "softplus": _plain("F.softplus"),
    "one_hot": _plain("F.one_hot"),
    "pad": _plain("F.pad"),
    **{name: _infix_call(symbol) for name, symbol in _SYMBOLS.items()},
}
