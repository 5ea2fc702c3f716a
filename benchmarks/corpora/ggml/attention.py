"""flash_attn_ext: attention in blocks of 8 queries, and one query at a time with parts of the keys apart."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, launch
from corpora.ggml.arguments import Arguments, Value, layout

FILE = "ggml-metal.metal"
PLAIN = {"max_bias": 0.0, "m0": 0.0, "m1": 0.0, "n_head_log2": 0, "logit_softcap": 0.0}
"""No ALiBi, no soft cap."""
HALF_INSIDE = 100.0
"""A factor: answers are float32, but queries and probabilities are rounded to float16 before they are multiplied."""


def cases(arguments: Arguments) -> Iterator[Case]:
    yield _blocks(arguments, masked=False)
    yield _blocks(arguments, masked=True)
    yield _one_by_one(arguments)


def _draw(heads: int, shared: int, queries: int, keys: int, size: int) -> list[torch.Tensor]:
    """Queries as (heads, time, size) in float, keys and values of fewer heads in half."""
    q = torch.randn(heads, queries, size)
    return [q, *(torch.randn(heads // shared, keys, size).half() for _ in range(2))]


def _known(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> dict[str, Value]:
    """Sizes of everything; the answer is (time, heads, size)."""
    heads, queries, size = q.shape
    found = layout(src0=q, src1=k)
    found |= {f"nb2{axis}": value for axis in range(4) for value in [layout(src0=v)[f"nb0{axis}"]]}
    found |= {f"{what}3{axis}": layout(src0=mask)[f"{what}0{axis}"] for what in ("ne", "nb") for axis in range(4)}
    found |= {"ne_12_2": k.shape[0], "ne_12_3": 1, "ns10": size, "ns20": size}
    return found | {"ne1": heads, "ne2": queries, "ne3": 1, "scale": size**-0.5} | PLAIN


def _expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    shared = q.shape[0] // k.shape[0]
    k, v = (x.double().repeat_interleave(shared, 0) for x in (k, v))
    bias = None if mask is None else mask.double()
    return functional.scaled_dot_product_attention(q.double(), k, v, attn_mask=bias).transpose(0, 1)


def _blocks(arguments: Arguments, masked: bool) -> Case:
    kernel, heads, shared, queries, keys, size = "kernel_flash_attn_ext_f16_dk64_dv64", 4, 2, 16, 128, 64
    summary, simdgroups = "kernel_flash_attn_ext_blk", 4
    down, across = (arguments.number(f"OP_FLASH_ATTN_EXT_{name}") for name in ("NQPSG", "NCPSG"))

    def run(library: Any) -> Iterable[Answer]:
        q, k, v = _draw(heads, shared, queries, keys, size)
        mask = torch.zeros(queries, keys).masked_fill(torch.rand(queries, keys) < 0.4, -torch.inf).half()
        out, found = torch.zeros(queries, heads, size), torch.zeros(queries // down, keys // across, dtype=torch.int8)
        known = _known(q, k, v, mask)
        if masked:
            launch(getattr(library, summary), [keys // across, queries // down, 1], [32, 1, 1],
                   arguments.pack("flash_attn_ext_blk", **known), mask, found)  # fmt: skip
        memory = 2 * down * (size + 2 * size + 4 * across)
        launch(getattr(library, kernel), [queries // down, heads, 1], [32, simdgroups, 1],
               arguments.pack("flash_attn_ext", **known), q, k, v, mask if masked else q, q, q, found, out,
               threadgroup_bytes={0: memory})  # fmt: skip
        yield Answer(out, _expected(q, k, v, mask if masked else None), HALF_INSIDE)

    constants = {f"FC_flash_attn_ext_{name}": False for name in ("has_sinks", "has_bias", "has_scap", "has_kvpad")}
    constants |= {"FC_flash_attn_ext_has_mask": masked, "FC_flash_attn_ext_bc_mask": False}
    constants |= {"FC_flash_attn_ext_ns10": size, "FC_flash_attn_ext_ns20": size, "FC_flash_attn_ext_nsg": simdgroups}
    constants |= {"FC_flash_attn_ext_blk_nqptg": down, "FC_flash_attn_ext_blk_ncpsg": across}
    sizes = f"{heads} heads, {queries} by {keys}, {size}" + (", masked" if masked else "")
    return Case(FILE, (kernel, summary), sizes, run, constants)


def _one_by_one(arguments: Arguments) -> Case:
    """Each of 32 threadgroups takes every 32nd part of the keys; another kernel puts them together."""
    first, second = "kernel_flash_attn_ext_vec_f16_dk64_dv64", "kernel_flash_attn_ext_vec_reduce"
    heads, shared, queries, keys, size, parts = 4, 2, 2, 256, 64, 32

    def run(library: Any) -> Iterable[Answer]:
        q, k, v = _draw(heads, shared, queries, keys, size)
        rows = queries * heads
        partial, out = torch.zeros(rows * size * parts + 2 * rows * parts), torch.zeros(queries, heads, size)
        memory = 2 * (128 + 4 * 32 + 2 * 128)
        launch(getattr(library, first), [queries, heads, parts], [32, 1, 1],
               arguments.pack("flash_attn_ext_vec", **_known(q, k, v, q)), q, k, v, q, q, q, partial,
               threadgroup_bytes={0: memory})  # fmt: skip
        launch(getattr(library, second), [rows, 1, 1], [32 * parts, 1, 1],
               arguments.pack("flash_attn_ext_vec_reduce", nrows=rows), partial, out)  # fmt: skip
        yield Answer(out, _expected(q, k, v, None), HALF_INSIDE)

    constants = {f"FC_flash_attn_ext_vec_{name}": False for name in ("has_mask", "has_sinks", "has_bias", "has_scap")}
    constants |= {"FC_flash_attn_ext_vec_has_kvpad": False, "FC_flash_attn_ext_vec_ns10": size}
    constants |= {"FC_flash_attn_ext_vec_ns20": size, "FC_flash_attn_ext_vec_nsg": 1}
    constants |= {"FC_flash_attn_ext_vec_nwg": parts, "FC_flash_attn_ext_vec_reduce_DV": size}
    constants |= {"FC_flash_attn_ext_vec_reduce_NWG": parts}
    return Case(FILE, (first, second), f"{heads} heads, {queries} by {keys}, {size}", run, constants)
