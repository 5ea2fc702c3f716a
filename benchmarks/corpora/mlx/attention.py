"""scaled_dot_product_attention and steel_attention: one query at a time, in two passes, and in blocks."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, launch, record
from corpora.mlx.names import C_NAMES, FLOATS, NAMES

Mask = torch.Tensor | None


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        yield _vector(dtype, size=64, masked="")
    yield _vector(torch.float32, size=96, masked="")
    yield _vector(torch.float32, size=128, masked="causal")
    yield _vector(torch.float32, size=64, masked="bool")
    yield _vector(torch.float32, size=64, masked="float")
    yield _two_passes(torch.float32)
    yield _two_passes(torch.float16)
    for dtype in FLOATS:
        yield _blocks(dtype, size=64, queries=70, keys=90, masked="")
    yield _blocks(torch.float32, size=128, queries=64, keys=64, masked="")
    yield _blocks(torch.float32, size=64, queries=50, keys=75, masked="causal")
    yield _blocks(torch.float32, size=64, queries=50, keys=75, masked="bool")
    yield _blocks(torch.float32, size=80, queries=40, keys=75, masked="float")


def _draw(dtype: torch.dtype, heads: int, shared: int, queries: int, keys: int, size: int) -> list[torch.Tensor]:
    """Queries, keys and values as (1, heads, time, size); ``shared`` heads of queries use one of keys."""
    shapes = ((heads, queries), (heads // shared, keys), (heads // shared, keys))
    return [torch.randn(1, *shape, size).to(dtype) for shape in shapes]


def _mask(kind: str, heads: int, queries: int, keys: int) -> Mask:
    if kind == "bool":
        return torch.rand(1, heads, queries, keys) < 0.7
    return torch.randn(1, heads, queries, keys) if kind == "float" else None


def _expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kind: str, mask: Mask) -> torch.Tensor:
    """In float64. Causal: the last query sees all keys."""
    q, k, v = q.double(), k.double(), v.double()
    shared = q.shape[1] // k.shape[1]
    if kind == "causal":
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(k.shape[2] - q.shape[2])
    elif mask is not None and mask.is_floating_point():
        mask = mask.double()
    return functional.scaled_dot_product_attention(
        q, k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1), attn_mask=mask
    )


def _vector(dtype: torch.dtype, size: int, masked: str) -> Case:
    kernel, heads, shared, queries, keys = f"sdpa_vector_{C_NAMES[dtype]}_{size}_{size}", 4, 2, 3, 77

    def run(library: Any) -> Iterable[Answer]:
        q, k, v = _draw(dtype, heads, shared, queries, keys, size)
        out, mask = torch.zeros_like(q), _mask(masked, heads, queries, keys)
        arguments = [q, k, v, out, shared, keys, keys * size, size, keys * size, size, size**-0.5]
        if mask is not None:
            strides = (1, keys, queries * keys)
            arguments += [mask if masked == "bool" else 0, mask if masked == "float" else 0, *strides]
        else:
            arguments += [0] * 5
        launch(getattr(library, kernel), [heads, queries, 1], [1024, 1, 1], *arguments, 0, 0)
        yield Answer(out, _expected(q, k, v, masked, mask))

    constants = {
        20: masked in ("bool", "float"), 21: False, 22: masked == "causal", 23: masked == "bool",
        24: masked == "float", 25: False,
    }  # fmt: skip
    sizes = f"{heads} heads, {queries} by {keys}, {size} {masked}".rstrip()
    return Case("scaled_dot_product_attention.metal", (kernel,), sizes, run, constants)


def _two_passes(dtype: torch.dtype) -> Case:
    """Parts of the keys apart, then put together."""
    size, heads, shared, keys, parts = 64, 4, 2, 301, 32
    first, second = (
        f"sdpa_vector_2pass_1_{C_NAMES[dtype]}_{size}_{size}",
        f"sdpa_vector_2pass_2_{C_NAMES[dtype]}_{size}",
    )

    def run(library: Any) -> Iterable[Answer]:
        q, k, v = _draw(dtype, heads, shared, 1, keys, size)
        partial, out = torch.zeros(heads, parts, size, dtype=dtype), torch.zeros_like(q)
        sums, tops = torch.zeros(heads, parts), torch.zeros(heads, parts)
        launch(getattr(library, first), [heads // shared, 1, parts], [32, shared, 1], q, k, v, partial, sums, tops, 0,
               keys, keys * size, size, keys * size, size, size**-0.5, 0, 0, 0, 0, 0, 0)  # fmt: skip
        launch(getattr(library, second), [heads, 1, 1], [1024, 1, 1], partial, sums, tops, out, parts)
        # partial results are kept in the narrow type
        yield Answer(out, _expected(q, k, v, "", None), 2.0)

    constants = {20: False, 21: False, 22: False, 23: False, 24: False, 25: False, 26: parts}
    sizes = f"{heads} heads, 1 by {keys}, {size} in {parts}"
    return Case("scaled_dot_product_attention.metal", (first, second), sizes, run, constants)


def _blocks(dtype: torch.dtype, size: int, queries: int, keys: int, masked: str) -> Case:
    heads, shared, down, across = 4, 2, 32, 32 if size < 128 else 16
    name = f"steel_attention_{NAMES[dtype]}_bq{down}_bk{across}_bd{size}_wm4_wn1"
    kernel = f"{name}_mask{'bool_' if masked == 'bool' else NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        q, k, v = _draw(dtype, heads, shared, queries, keys, size)
        out, mask = torch.zeros_like(q), _mask(masked, heads, queries, keys)
        blocks = -(-queries // down), -(-keys // across), queries // down, keys // across
        rest = queries % down, keys % across, keys - queries
        strides = (stride for x in (q, k, v, out) for stride in x.stride()[:3])
        parameters = struct.pack(
            "6if7i12q", 1, heads, size, queries, keys, shared, size**-0.5, *blocks, *rest, *strides
        )
        more = [0, 0] if mask is None else [record(struct.pack("3q", *mask.stride()[:3])), mask]
        launch(getattr(library, kernel), [blocks[0], heads, 1], [32, 4, 1], q, k, v, out, record(parameters), *more, 0)
        # probabilities are rounded to the narrow type before they meet the values
        yield Answer(out, _expected(q, k, v, masked, mask), 2.0)

    constants = {
        200: queries % down == 0, 201: keys % across == 0, 300: masked in ("bool", "float"), 301: masked == "causal",
        302: False,
    }  # fmt: skip
    sizes = f"{heads} heads, {queries} by {keys}, {size} {masked}".rstrip()
    return Case("steel_attention.metal", (kernel,), sizes, run, constants)
