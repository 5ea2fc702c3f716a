"""Calls that the vocabulary does not know, as readable as they can be without changing what they compute."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from kernelwright.authors.graph.calls import call
from kernelwright.authors.graph.ir import Device, Node, Slot
from kernelwright.authors.graph.literals import value_code

Args = Sequence[str]


def opaque_expression(node: Node, args: Args, device: str) -> str:
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
    while (
        given and declared[len(given) - 1].has_default_value() and declared[len(given) - 1].default_value == given[-1]
    ):
        given.pop()
    parts = [show(v) for v in given]
    keywords = {k: show(v) for k, v in attrs["kwargs"]}
    if namespace == "aten" and name in _OPAQUE:
        made = _OPAQUE[name](parts, keywords)
        if made is not None:
            return made
    if namespace == "aten" and hasattr(torch._C._VariableFunctions, name) and not name.startswith("_"):
        return call(f"torch.{name}", *parts, **keywords)
    builtin = getattr(torch._C._nn, name, None)
    if namespace == "aten" and builtin is not None and getattr(F, name, None) is builtin:
        return call(f"F.{name}", *parts, **keywords)
    return call(f"torch.ops.{namespace}.{name}", *parts, **keywords)


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
    return lambda parts, keywords: call(f"F.{name}", *parts[:5], **{k: v for k, v in keywords.items() if k == "eps"})


def _convert(parts: list[str], keywords: dict[str, str]) -> str | None:
    """``x.to(torch.float16)``; the device is the module's own, so only the dtype is kept."""
    dtypes = [p for p in (*parts[1:], *keywords.values()) if p.startswith("torch.") and "format" not in p]
    dtypes = [d for d in dtypes if isinstance(getattr(torch, d.removeprefix("torch."), None), torch.dtype)]
    return f"{parts[0]}.to({dtypes[0]})" if len(dtypes) == 1 else None


def _attention(parts: list[str], keywords: dict[str, str]) -> str:
    names = ("attn_mask", "dropout_p", "is_causal")
    named = {n: p for n, p in zip(names, parts[3:], strict=False) if p not in ("None", "0.0", "False")}
    return call("F.scaled_dot_product_attention", *parts[:3], **named, **keywords)


def _infix(symbol: str) -> Callable[[list[str], dict[str, str]], str | None]:
    return lambda parts, keywords: None if keywords or len(parts) != 2 else f"{parts[0]} {symbol} {parts[1]}"


def _plain(name: str) -> Callable[[list[str], dict[str, str]], str | None]:
    return lambda parts, keywords: call(name, *parts, **keywords)


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
    **{name: _infix(symbol) for name, symbol in _SYMBOLS.items()},
}
