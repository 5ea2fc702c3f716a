"""soft_max, norm, rms_norm, l2_norm, group_norm, sum_rows, argmax, argsort, cumsum, rope: along rows."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, ints, launch
from corpora.ggml.arguments import Arguments, layout

FILE = "ggml-metal.metal"
EPSILON = 1e-5
PARTIAL = {0: 32 * 4}
"""Bytes of threadgroup memory: a float for each simdgroup."""
BASE = 10000.0


def cases(arguments: Arguments) -> Iterator[Case]:
    yield _soft_max(arguments, masked=False)
    yield _soft_max(arguments, masked=True)
    for name in ("norm", "norm_mul", "norm_mul_add", "rms_norm", "rms_norm_mul"):
        yield _norm(arguments, name)
    yield _l2_norm(arguments)
    yield _group_norm(arguments)
    yield _sum_rows(arguments, "SUM_ROWS", torch.sum)
    yield _sum_rows(arguments, "MEAN", torch.mean)
    yield _argmax(arguments)
    for order in ("asc", "desc"):
        yield _argsort(arguments, order)
    yield _cumsum(arguments)
    for name, dtype in (("norm_f32", torch.float32), ("neox_f32", torch.float32), ("neox_f16", torch.float16)):
        yield _rope(arguments, name, dtype)


def _soft_max(arguments: Arguments, masked: bool) -> Case:
    kernel, heads, rows, columns = "kernel_soft_max_f16" if masked else "kernel_soft_max_f32_4", 3, 7, 200

    def run(library: Any) -> Iterable[Answer]:
        x, mask = torch.randn(heads, rows, columns), torch.randn(rows, columns).half()
        out = torch.zeros_like(x)
        known = layout(src0=x, src1=mask, dst=out)
        parameters = arguments.pack("soft_max", **known, scale=0.7, max_bias=0.0, m0=0.0, m1=0.0, n_head_log2=0)
        # the scores themselves in place of a mask or sinks mean none
        more = mask if masked else x
        launch(getattr(library, kernel), [rows, heads, 1], [64, 1, 1], parameters, x, more, x, out,
               threadgroup_bytes=PARTIAL)  # fmt: skip
        yield Answer(out, torch.softmax(0.7 * x.double() + (mask.double() if masked else 0), -1))

    return Case(FILE, (kernel,), f"{heads}x{rows}x{columns}" + (", with a mask" if masked else ""), run)


def _norm(arguments: Arguments, name: str) -> Case:
    kernel, batch, rows, columns = f"kernel_{name}_f32_4", 2, 5, 516

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(batch, rows, columns) + 1, torch.zeros(batch, rows, columns)
        weight, bias = torch.randn(columns), torch.randn(columns)
        row = columns * 4
        parameters = arguments.pack(
            "norm", **layout(src0=x, dst=out), ne00_t=columns // 4, eps=EPSILON, nef1=[rows, 1, 1],
            nef2=[batch, 1, 1], nef3=[1, 1, 1], nbf1=[row, row, row], nbf2=[rows * row, row, row],
            nbf3=[batch * rows * row, row, row],
        )  # fmt: skip
        launch(getattr(library, kernel), [rows, batch, 1], [160, 1, 1], parameters, x, weight, bias, out,
               threadgroup_bytes=PARTIAL)  # fmt: skip
        exact = x.double()
        if name.startswith("rms"):
            want = functional.rms_norm(exact, (columns,), None, EPSILON)
        else:
            want = functional.layer_norm(exact, (columns,), None, None, EPSILON)
        want = want * weight.double() if "mul" in name else want
        yield Answer(out, want + bias.double() if "add" in name else want)

    return Case(FILE, (kernel,), f"{batch}x{rows}x{columns}", run)


def _l2_norm(arguments: Arguments) -> Case:
    rows, columns = 6, 300

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, columns), torch.zeros(rows, columns)
        parameters = arguments.pack("l2_norm", **layout(src0=x, dst=out), eps=EPSILON)
        launch(library.kernel_l2_norm_f32_f32, [rows, 1, 1], [128, 1, 1], parameters, x, out, threadgroup_bytes=PARTIAL)
        yield Answer(out, functional.normalize(x.double(), dim=-1, eps=EPSILON))

    return Case(FILE, ("kernel_l2_norm_f32_f32",), f"{rows}x{columns}", run)


def _group_norm(arguments: Arguments) -> Case:
    channels, groups, height, width = 12, 4, 5, 9

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(channels, height, width), torch.zeros(channels, height, width)
        parameters = arguments.pack("group_norm", **layout(src0=x, dst=out), ngrp=groups, eps=EPSILON)
        launch(library.kernel_group_norm_f32, [groups], [128], parameters, x, out, threadgroup_bytes=PARTIAL)
        yield Answer(out, functional.group_norm(x.double()[None], groups, None, None, EPSILON))

    return Case(FILE, ("kernel_group_norm_f32",), f"{channels}x{height}x{width} in {groups}", run)


def _sum_rows(arguments: Arguments, name: str, function: Callable[..., torch.Tensor]) -> Case:
    batch, rows, columns = 2, 5, 333

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(batch, rows, columns), torch.zeros(batch, rows, 1)
        parameters = arguments.pack("sum_rows", **layout(src0=x, dst=out))
        launch(library.kernel_sum_rows_f32_f32, [rows, batch, 1], [256, 1, 1], parameters, x, out,
               threadgroup_bytes=PARTIAL)  # fmt: skip
        yield Answer(out, function(x.double(), -1))

    constants = {"FC_sum_rows_op": arguments.number(f"OP_SUM_ROWS_NUM_{name}")}
    return Case(FILE, ("kernel_sum_rows_f32_f32",), f"{name} {batch}x{rows}x{columns}", run, constants)


def _argmax(arguments: Arguments) -> Case:
    rows, columns = 6, 500

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, columns), torch.zeros(rows, dtype=torch.int32)
        parameters = arguments.pack("argmax", **layout(src0=x))
        launch(library.kernel_argmax_f32, [rows], [128], parameters, x, out, threadgroup_bytes={0: 32 * 8})
        yield Answer(out, x.argmax(-1))

    return Case(FILE, ("kernel_argmax_f32",), f"{rows}x{columns}", run)


def _argsort(arguments: Arguments, order: str) -> Case:
    kernel, rows, columns = f"kernel_argsort_f32_i32_{order}", 5, 100

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, columns), torch.zeros(rows, columns, dtype=torch.int32)
        parameters = arguments.pack("argsort", **layout(src0=x, dst=out), top_k=columns)
        launch(getattr(library, kernel), [rows, 1, 1], [128, 1, 1], parameters, x, out, threadgroup_bytes={0: 128 * 4})
        yield Answer(out, x.argsort(-1, descending=order == "desc"))

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _cumsum(arguments: Arguments) -> Case:
    rows, columns = 4, 200

    def run(library: Any) -> Iterable[Answer]:
        x, out, unused = torch.randn(rows, columns), torch.zeros(rows, columns), torch.zeros(rows)
        total = layout(src0=unused)
        known = {f"ne{at}": total[f"ne0{at[1:]}"] for at in ("t0", "t1", "t2", "t3")}
        known |= {f"nb{at}": total[f"nb0{at[1:]}"] for at in ("t0", "t1", "t2", "t3")}
        parameters = arguments.pack("cumsum_blk", **layout(src0=x), **known, outb=False)
        launch(library.kernel_cumsum_blk_f32, [rows, 1, 1], [256, 1, 1], parameters, x, unused, out,
               threadgroup_bytes=PARTIAL)  # fmt: skip
        yield Answer(out, x.double().cumsum(-1))

    return Case(FILE, ("kernel_cumsum_blk_f32",), f"{rows}x{columns}", run)


def _rope(arguments: Arguments, name: str, dtype: torch.dtype) -> Case:
    kernel, time, heads, size = f"kernel_rope_{name}", 9, 4, 64

    def run(library: Any) -> Iterable[Answer]:
        x, positions = torch.randn(time, heads, size).to(dtype), ints(*range(5, 5 + time))
        out = torch.zeros_like(x)
        parameters = arguments.pack(
            "rope", **layout(src0=x, dst=out), n_past=0, n_dims=size, n_offs=0, n_ctx_orig=4096, freq_base=BASE,
            freq_scale=1.0, ext_factor=0.0, attn_factor=1.0, beta_fast=32.0, beta_slow=1.0, sect_0=0, sect_1=0,
            sect_2=0, sect_3=0, src2=False, inplace=False,
        )  # fmt: skip
        launch(getattr(library, kernel), [heads, time, 1], [size // 2, 1, 1], parameters, x, positions, x, out)
        yield Answer(out, _rotated(x.double(), positions, neighbours=name.startswith("norm")))

    constants = {"FC_rope_is_imrope": False, "FC_rope_is_back": False}
    return Case(FILE, (kernel,), f"{time}x{heads}x{size}", run, constants)


def _rotated(x: torch.Tensor, positions: torch.Tensor, neighbours: bool) -> torch.Tensor:
    """Rotary embedding of (time, heads, size); pairs are neighbours, or halves of a row."""
    half = x.shape[-1] // 2
    angle = positions.double()[:, None, None] * BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    cos, sin = angle.cos(), angle.sin()
    first, second = (x[..., ::2], x[..., 1::2]) if neighbours else (x[..., :half], x[..., half:])
    rotated = first * cos - second * sin, first * sin + second * cos
    return torch.stack(rotated, -1).flatten(-2) if neighbours else torch.cat(rotated, -1)
