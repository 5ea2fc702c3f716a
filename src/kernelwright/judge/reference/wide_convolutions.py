"""Convolutions in float64 on a GPU, as matrix products: cuDNN has nothing fast for float64, the GPU's matrix units do.

One product for each tap of the filter, added up in float64: the answer is that of any other order of sums.
"""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import torch

from kernelwright.judge.dispatched import DispatchWatch

TEMPORARY_BYTES = 1 << 30
"""About what one tap's operand and result may take; larger batches are done in parts."""


class WideConvolutions(DispatchWatch):
    """Inside, ``aten.convolution`` of float64 tensors is computed by :func:`by_taps`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        if func is not torch.ops.aten.convolution.default or args[0].dtype is not torch.float64 or kwargs:
            return func(*args, **kwargs)
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = args
        if x.dim() != weight.dim() or not x.numel():
            return func(*args)
        axes = x.dim() - 2
        s, p, d, more = (
            tuple(value) * (axes if len(value) == 1 else 1) for value in (stride, padding, dilation, output_padding)
        )
        images = max(1, TEMPORARY_BYTES // max(1, 8 * x[0].numel() * 4))
        parts = [
            transposed_by_taps(part, weight, s, p, d, more, groups)
            if transposed
            else by_taps(part, weight, s, p, d, groups)
            for part in x.split(images)
        ]
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return out if bias is None else out.add_(bias.reshape(1, -1, *(1,) * axes))


def by_taps(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """The convolution of x (images, channels, places …) with weight (outputs, channels / groups, taps …), no bias."""
    axes = x.dim() - 2
    if any(padding):
        x = torch.nn.functional.pad(x, [p for pad in reversed(padding) for p in (pad, pad)])
    taps = weight.shape[2:]
    places = [
        (size - d * (k - 1) - 1) // s + 1 for size, k, s, d in zip(x.shape[2:], taps, stride, dilation, strict=True)
    ]
    out = x.new_zeros(x.shape[0], groups, weight.shape[0] // groups, prod(places))
    filters = weight.reshape(groups, -1, weight.shape[1], *taps)
    for tap in product(*map(range, taps)):
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, dilation, places, stride, strict=True)
        )
        seen = x[(..., *window)].reshape(x.shape[0], groups, weight.shape[1], -1)
        _add_product(out, filters[(..., *tap)], seen)
    return out.reshape(x.shape[0], weight.shape[0], *places) if axes else out


def transposed_by_taps(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """The transposed convolution of x (images, channels, places …) with weight (channels, outputs / groups, taps …)."""
    taps, outputs = weight.shape[2:], groups * weight.shape[1]
    whole = [
        (n - 1) * s + d * (k - 1) + 1 + more
        for n, s, d, k, more in zip(x.shape[2:], stride, dilation, taps, output_padding, strict=True)
    ]
    out = x.new_zeros(x.shape[0], outputs, *whole)
    given = x.reshape(x.shape[0], groups, -1, prod(x.shape[2:]))
    filters = weight.reshape(groups, -1, weight.shape[1], *taps)
    for tap in product(*map(range, taps)):
        part = given.new_zeros(x.shape[0], groups, weight.shape[1], given.shape[-1])
        _add_product(part, filters[(..., *tap)].transpose(1, 2), given)
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[2:], stride, strict=True)
        )
        out[(..., *window)] += part.reshape(x.shape[0], outputs, *x.shape[2:])
    cut = tuple(slice(p, size - p) for p, size in zip(padding, whole, strict=True))
    return out[(..., *cut)].contiguous()


def _add_product(out: torch.Tensor, filters: torch.Tensor, seen: torch.Tensor) -> None:
    """out (images, groups, outputs, places) += filters (groups, outputs, channels) · seen (…, channels, places)."""
    if seen.shape[2] == 1:  # depthwise
        out.addcmul_(seen, filters)
    else:
        out += filters @ seen
