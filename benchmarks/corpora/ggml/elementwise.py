"""unary, bin, glu, repeat, concat, pad, upscale, arange: each element on its own, or moved."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, launch
from corpora.ggml.arguments import Arguments, layout

FILE = "ggml-metal.metal"

UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "GELU": lambda x: functional.gelu(x, approximate="tanh"), "GELU_ERF": functional.gelu,
    "GELU_QUICK": lambda x: x * torch.sigmoid(1.702 * x), "SILU": functional.silu, "RELU": functional.relu,
    "TANH": torch.tanh, "SIGMOID": torch.sigmoid, "ELU": functional.elu, "HARDSWISH": functional.hardswish,
    "EXP": torch.exp, "SQR": torch.square,
}  # fmt: skip

BINARY: tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], ...] = (torch.add, torch.sub, torch.mul, torch.div)
"""In the order of ggml's numbers."""

GATES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "swiglu": functional.silu, "reglu": functional.relu, "geglu": lambda x: functional.gelu(x, approximate="tanh"),
}  # fmt: skip


def cases(arguments: Arguments) -> Iterator[Case]:
    for name in UNARY:
        yield _unary(arguments, name)
    for number in range(len(BINARY)):
        yield _binary(arguments, number, torch.float32)
    yield _binary(arguments, 0, torch.float16)
    for name in GATES:
        yield _gate(arguments, name)
    yield from _moved(arguments)


def _unary(arguments: Arguments, name: str) -> Case:
    kernel, shape = "kernel_unary_f32_f32_4", (3, 5, 260)

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(shape) * 2
        out, quarters = torch.zeros_like(x), shape[2] // 4
        known = layout(src0=x, dst=out) | {"ne00": quarters, "ne0": quarters}
        parameters = arguments.pack("unary", **known, slope=0.0, scale=0.0, bias=0.0, val=0.0, min=0.0, max=0.0)
        launch(getattr(library, kernel), [shape[1], shape[0], 1], [quarters, 1, 1], parameters, x, out)
        yield Answer(out, UNARY[name](x.double()))

    constants = {"FC_unary_op": arguments.number(f"OP_UNARY_NUM_{name}"), "FC_unary_cnt": False}
    return Case(FILE, (kernel,), f"{name} 3x5x260", run, constants)


def _binary(arguments: Arguments, number: int, dtype: torch.dtype) -> Case:
    kernel = "kernel_bin_fuse_f16_f16_f16" if dtype == torch.float16 else "kernel_bin_fuse_f32_f32_f32"

    def run(library: Any) -> Iterable[Answer]:
        x, y = torch.randn(4, 7, 100).to(dtype), (torch.rand(7, 50) + 0.5).to(dtype)  # repeated along the rows too
        out = torch.zeros_like(x)
        parameters = arguments.pack("bin", **layout(src0=x, src1=y, dst=out), offs=0, o1=[0] * 8)
        launch(getattr(library, kernel), [7, 4, 1], [64, 1, 1], parameters, x, y, out)
        yield Answer(out, BINARY[number](x.double(), y.double().repeat(1, 2)))

    constants = {"FC_bin_op": number, "FC_bin_f": 1, "FC_bin_rb": False, "FC_bin_cb": True}
    return Case(FILE, (kernel,), f"{BINARY[number].__name__} 4x7x100 and 7x50", run, constants)


def _gate(arguments: Arguments, name: str) -> Case:
    kernel, rows, columns = f"kernel_{name}_f32", 9, 130

    def run(library: Any) -> Iterable[Answer]:
        x, gate, out = torch.randn(rows, columns), torch.randn(rows, columns), torch.zeros(rows, columns)
        known = layout(src0=x, src1=gate, dst=out)
        parameters = arguments.pack("glu", **known, i00=0, i10=0, alpha=0.0, limit=0.0)
        launch(getattr(library, kernel), [rows, 1, 1], [columns // 2, 1, 1], parameters, x, gate, out)
        yield Answer(out, GATES[name](x.double()) * gate.double())

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _moved(arguments: Arguments) -> Iterator[Case]:
    def repeat(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(3, 10), torch.zeros(2, 6, 30)
        parameters = arguments.pack("repeat", **layout(src0=x, dst=out))
        launch(library.kernel_repeat_f32, [6, 2, 1], [30, 1, 1], parameters, x, out)
        yield Answer(out, x.double().repeat(2, 2, 3))

    def concat(library: Any) -> Iterable[Answer]:
        x, y, out = torch.randn(2, 5, 20), torch.randn(2, 7, 20), torch.zeros(2, 12, 20)
        parameters = arguments.pack("concat", **layout(src0=x, src1=y, dst=out), dim=1)
        launch(library.kernel_concat_f32, [12, 2, 1], [20, 1, 1], parameters, x, y, out)
        yield Answer(out, torch.cat([x, y], 1).double())

    def pad(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(2, 5, 20), torch.ones(3, 8, 23)
        parameters = arguments.pack("pad", **layout(src0=x, dst=out))
        launch(library.kernel_pad_f32, [8, 3, 1], [32, 1, 1], parameters, x, out)
        yield Answer(out, functional.pad(x.double(), (0, 3, 0, 3, 0, 1)))

    def upscale(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(2, 6, 9), torch.zeros(2, 12, 27)
        parameters = arguments.pack("upscale", **layout(src0=x, dst=out), sf0=3.0, sf1=2.0, sf2=1.0, sf3=1.0, poffs=0.5)
        launch(library.kernel_upscale_nearest_f32, [12, 2, 1], [27, 1, 1], parameters, x, out)
        yield Answer(out, x.double().repeat_interleave(2, 1).repeat_interleave(3, 2))

    def arange(library: Any) -> Iterable[Answer]:
        out = torch.zeros(300)
        parameters = arguments.pack("arange", ne0=300, start=2.5, step=0.25)
        launch(library.kernel_arange_f32, [1], [256], parameters, out)
        yield Answer(out, 2.5 + 0.25 * torch.arange(300, dtype=torch.float64))

    yield Case(FILE, ("kernel_repeat_f32",), "3x10 to 2x6x30", repeat)
    yield Case(FILE, ("kernel_concat_f32",), "2x5x20 and 2x7x20", concat)
    yield Case(FILE, ("kernel_pad_f32",), "2x5x20 to 3x8x23", pad)
    yield Case(FILE, ("kernel_upscale_nearest_f32",), "2x6x9 to 2x12x27", upscale)
    yield Case(FILE, ("kernel_arange_f32",), "300", arange)
