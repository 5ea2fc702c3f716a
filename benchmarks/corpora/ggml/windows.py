"""im2col, pool_2d, conv_transpose_1d: windows that move over an image."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, launch
from corpora.ggml.arguments import Arguments, layout

FILE = "ggml-metal.metal"


def cases(arguments: Arguments) -> Iterator[Case]:
    for target in ("f32", "f16"):
        yield _unfold(arguments, target)
    yield _pool(arguments, "max", functional.max_pool2d)
    yield _pool(arguments, "avg", functional.avg_pool2d)
    yield _transposed(arguments)


def _unfold(arguments: Arguments, target: str) -> Case:
    kernel, n, channels, height, width = f"kernel_im2col_{target}", 2, 3, 8, 9

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(n, channels, height, width)
        out_height, out_width, places = height, (width - 1) // 2 + 1, channels * 9  # 3x3, stride 1 and 2, padding 1
        out = torch.zeros(n, out_height, out_width, places, dtype=torch.float16 if target == "f16" else torch.float32)
        parameters = arguments.pack(
            "im2col", ofs0=x.stride(0), ofs1=x.stride(1), IW=width, IH=height, CHW=places, s0=2, s1=1, p0=1, p1=1,
            d0=1, d1=1, N=n, KH=3, KW=3, KHW=9,
        )  # fmt: skip
        launch(getattr(library, kernel), [channels, out_height, out_width], [n, 3, 3], parameters, x, out)
        want = functional.unfold(x.double(), 3, padding=1, stride=(1, 2))
        yield Answer(out, want.transpose(1, 2))

    return Case(FILE, (kernel,), f"{n}x{channels}x{height}x{width}", run)


def _pool(arguments: Arguments, name: str, function: Callable[..., torch.Tensor]) -> Case:
    kernel, channels, height, width = f"kernel_pool_2d_{name}_f32", 3, 10, 12

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(channels, height, width)
        out = torch.zeros(channels, height // 2, width // 2)
        parameters = arguments.pack(
            "pool_2d", k0=2, k1=2, s0=2, s1=2, p0=0, p1=0, IH=height, IW=width, OH=height // 2, OW=width // 2,
            np=out.numel(),
        )  # fmt: skip
        launch(getattr(library, kernel), [-(-out.numel() // 64)], [64], parameters, x, out)
        yield Answer(out, function(x.double()[None], 2))

    return Case(FILE, (kernel,), f"{channels}x{height}x{width}", run)


def _transposed(arguments: Arguments) -> Case:
    kernel, inputs, outputs, length, taps, step = "kernel_conv_transpose_1d_f32_f32", 4, 3, 11, 5, 2

    def run(library: Any) -> Iterable[Answer]:
        x, weight = torch.randn(inputs, length), torch.randn(inputs, outputs, taps)
        out = torch.zeros(outputs, (length - 1) * step + taps)
        parameters = arguments.pack("conv_transpose_1d", **layout(dst=out), IC=inputs, IL=length, K=taps, s0=step)
        launch(getattr(library, kernel), [out.shape[1], outputs, 1], [1, 1, 1], parameters, weight, x, out)
        yield Answer(out, functional.conv_transpose1d(x.double()[None], weight.double(), stride=step))

    return Case(FILE, (kernel,), f"{inputs}x{length} to {outputs}", run)
