"""New values like given ones: what a module problem draws when it only has example inputs.

Every tensor keeps its shape, strides, dtype and place in the structure; a tensor that appears twice stays one tensor.

- Floats: normal with the example's mean and standard deviation (1 where the example is constant); an example
  without negative values stays without. Entries that are infinite or NaN (additive attention masks) stay as they
  are, and so do exact zeros in an example that also has other values (triangular matrices, padding). An example of
  zeros only (an initial state) is redrawn.
- Integers: uniform between the example's smallest and largest value. A sorted vector stays sorted and keeps its two
  ends, for such vectors are offsets (``embedding_bag``, ``cu_seqlens``).
- Booleans: True as often as in the example.
- Everything else, Python scalars among it, is unchanged.
"""

import copy
from typing import Any

import torch

from kernelwright.problems.structure import flatten, unflatten


def draw_like(example: Any, seed: int, device: str = "cpu") -> Any:
    """``example`` with new values under ``seed``, tensors on ``device``. Same seed and device, same values."""
    generator = torch.Generator(device=device).manual_seed(seed)
    leaves, spec = flatten(example)
    drawn: dict[int, Any] = {}
    for leaf in leaves:
        if id(leaf) not in drawn:
            drawn[id(leaf)] = _tensor_like(leaf, generator) if isinstance(leaf, torch.Tensor) else copy.deepcopy(leaf)
    return unflatten([drawn[id(leaf)] for leaf in leaves], spec)


def _tensor_like(example: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    example = example.detach().to(generator.device)
    if example.numel() == 0:
        return example.clone()
    if example.dtype is torch.bool:
        share = example.float().mean()
        values = torch.rand(example.shape, generator=generator, device=generator.device) < share
    elif example.is_complex():
        parts = torch.view_as_real(example.resolve_conj())
        values = torch.view_as_complex(_floats_like(parts, generator).contiguous())
    elif example.is_floating_point():
        values = _floats_like(example, generator)
    else:
        values = _integers_like(example, generator)
    return torch.empty_like(example).copy_(values)  # empty_like keeps strides, channels-last for example


def _floats_like(example: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    work = torch.float64 if example.dtype is torch.float64 else torch.float32
    x = example.to(work)
    keep = ~torch.isfinite(x)
    if bool((x[~keep] != 0).any()):
        keep |= x == 0
    drawn_from = x[~keep]
    if drawn_from.numel() == 0:
        return x
    mean, std = drawn_from.mean(), drawn_from.std(correction=0)
    noise = torch.randn(x.shape, dtype=work, device=generator.device, generator=generator)
    values = mean + noise * torch.where(std > 0, std, 1.0)
    if bool((drawn_from >= 0).all()):
        values = values.abs()
    limit = torch.finfo(example.dtype).max
    return torch.where(keep, x, values.clamp(-limit, limit))


def _integers_like(example: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    x = example.to(torch.int64)  # the small unsigned types have no reductions
    low, high = int(x.min()), int(x.max())
    beyond = min(high + 1, 2**63 - 1)
    values = torch.randint(low, max(beyond, low + 1), x.shape, generator=generator, device=generator.device)
    if x.dim() == 1 and high > low and bool((x.diff() >= 0).all()):
        values = values.sort().values
        values[0], values[-1] = low, high
    return values
