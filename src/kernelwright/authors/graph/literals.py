"""Tensors and plain values as Python code."""

import json
import math
from typing import Any

import torch

from kernelwright.authors.graph.ir import Symbol

LARGEST_LITERAL = 512
"""Elements: beyond this a constant is written only if it has a formula."""


def value_code(value: Any) -> str:
    """A template's plain value: numbers (infinities too), strings, symbols, and lists of these."""
    if isinstance(value, Symbol):
        return value.text
    if isinstance(value, float) and math.isnan(value):
        return 'float("nan")'
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_code(v) for v in value) + "]"
    return repr(value)


def shape_code(tensor: torch.Tensor) -> str:
    """Sizes as call arguments: ``3, 4``, or ``()`` for a tensor without axes."""
    return ", ".join(map(str, tensor.shape)) if tensor.dim() else "()"


def zeros_code(tensor: torch.Tensor) -> str:
    """``torch.zeros(3, 4)``; the values come with ``load_state_dict``."""
    return f"torch.zeros({shape_code(tensor)}{_dtype_code(tensor)})"


def tensor_code(tensor: torch.Tensor) -> str:
    """An expression whose value is this tensor, bit for bit. ``ValueError`` if it is too large to be written down."""
    tensor = tensor.detach().cpu()
    if tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all()):
        return _filled(tensor, tensor.flatten()[0].item())
    for code in _formulas(tensor):
        if _evaluates_to(code, tensor):
            return code
    if tensor.numel() > LARGEST_LITERAL:
        raise ValueError(f"has {tensor.numel()} values and no formula")
    return f"torch.tensor({value_code(tensor.tolist())}, dtype={tensor.dtype})"


def _formulas(tensor: torch.Tensor) -> list[str]:
    """Expressions that may be the tensor, by its shape and first values."""
    dtype = f", dtype={tensor.dtype}"
    found: list[str] = []
    if tensor.dim() == 1 and tensor.numel() > 2:
        start, step = tensor[0].item(), (tensor[1] - tensor[0]).item() if tensor.dtype != torch.bool else 0
        if step:
            stop = start + step * tensor.numel()
            found.append(f"torch.arange({start!r}, {stop!r}, {step!r}{dtype})")
    if tensor.dim() >= 2 and tensor.numel() == tensor.shape[-1] * tensor.shape[-2] and tensor.numel() > 1:
        rows, columns = tensor.shape[-2:]
        corner = tensor.flatten()
        for fill in {corner[(rows - 1) * columns].item(), corner[columns - 1].item()}:
            found += [f"{_filled(tensor, fill)}.{side}({k})" for side in ("tril", "triu") for k in ("", -1, 1)]
        found.append(f"torch.eye({rows}, {columns}{dtype})" if tensor.dim() == 2 else "")
    return [code for code in found if code]


def _filled(tensor: torch.Tensor, fill: float) -> str:
    """A tensor of this shape and dtype with one value everywhere."""
    if fill in (0, 1) and tensor.dtype is not torch.bool:
        return f"torch.{'ones' if fill else 'zeros'}({shape_code(tensor)}{_dtype_code(tensor)})"
    return f"torch.full({value_code(list(tensor.shape))}, {value_code(fill)}, dtype={tensor.dtype})"


def _evaluates_to(code: str, tensor: torch.Tensor) -> bool:
    try:
        made = eval(code, {"torch": torch})  # our own text, from numbers alone
    except (RuntimeError, TypeError, ValueError):
        return False
    return made.shape == tensor.shape and made.dtype == tensor.dtype and torch.equal(made, tensor)


def _dtype_code(tensor: torch.Tensor) -> str:
    return "" if tensor.dtype is torch.float32 else f", dtype={tensor.dtype}"
