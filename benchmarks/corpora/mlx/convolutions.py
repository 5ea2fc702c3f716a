"""conv, steel_conv, steel_conv_3d, steel_conv_general: by threads, and as products of matrices in blocks.

Images and filters have their channels last: (N, H, W, C) and (O, H, W, C).
"""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from corpora.answers import Answer
from corpora.cases import Case, ints, launch, record
from corpora.mlx.names import FLOATS, NAMES

DEPTH = 16
"""Channels that a block takes at once."""


def cases() -> Iterator[Case]:
    plain = Sizes(n=2, channels=32, filters=40, image=(11, 9), filter=(3, 3), stride=(1, 1), padding=(1, 1))
    for dtype in FLOATS:
        yield _blocks(plain, dtype, across=32, kind="channel_l_filter_s")
    yield _blocks(Sizes(1, 16, 8, (12, 12), (5, 3), (2, 1), (2, 0)), torch.float32, 8, "channel_l_filter_s")
    yield _blocks(Sizes(1, 3, 24, (12, 10), (3, 3), (1, 1), (1, 1)), torch.float32, 32, "channel_3_filter_l")
    yield _blocks(Sizes(1, 32, 40, (5, 6, 7), (3, 3, 3), (1, 1, 1), (1, 1, 1)), torch.float32, 32, "filter_s")
    yield _general(Sizes(2, 32, 24, (7, 6), (3, 3), (1, 1), (1, 1), input_dilation=(2, 2)), torch.float32)
    yield _general(Sizes(1, 20, 24, (9, 8), (3, 3), (2, 2), (1, 1)), torch.float16)
    yield _unfold(Sizes(2, 5, 1, (8, 7), (3, 3), (2, 1), (1, 1)))
    yield _unfold(Sizes(2, 6, 1, (20,), (4,), (1,), (2,)))
    for dtype in (torch.float32, torch.float16):
        yield _depthwise(Sizes(2, 24, 24, (10, 13), (3, 3), (1, 1), (1, 1), groups=24), dtype)
    yield _depthwise_rows()


@dataclass(frozen=True)
class Sizes:
    """One convolution; a value for each spatial axis."""

    n: int
    channels: int
    filters: int
    image: tuple[int, ...]
    filter: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    input_dilation: tuple[int, ...] = ()
    groups: int = 1

    @property
    def spread(self) -> tuple[int, ...]:
        """Distances of the image's elements in the image that the filter moves over."""
        return self.input_dilation or (1,) * len(self.image)

    @property
    def out(self) -> tuple[int, ...]:
        axes = zip(self.image, self.filter, self.stride, self.padding, self.spread, strict=True)
        return tuple((1 + spread * (n - 1) + 2 * pad - k) // step + 1 for n, k, step, pad, spread in axes)

    def __str__(self) -> str:
        shape = "x".join(map(str, (self.n, *self.image, self.channels)))
        more = f", stride {self.stride}" if set(self.stride) != {1} else ""
        return f"{shape} by {self.filters} of {'x'.join(map(str, self.filter))}{more}"

    def draw(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Image, filters, and zeros for the answer."""
        image = torch.randn(self.n, *self.image, self.channels).to(dtype)
        filters = torch.randn(self.filters, *self.filter, self.channels // self.groups).to(dtype)
        return image, filters, torch.zeros(self.n, *self.out, self.filters, dtype=dtype)

    def expected(self, image: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
        """In float64, by torch."""
        axes = len(self.image)
        image, filters = image.double().movedim(-1, 1), filters.double().movedim(-1, 1)
        for axis, spread in enumerate(self.spread, 2):
            if spread > 1:
                wide = torch.zeros(*image.shape[:axis], spread * (image.shape[axis] - 1) + 1, *image.shape[axis + 1 :])
                wide = wide.double()
                wide.index_copy_(axis, torch.arange(0, wide.shape[axis], spread), image)
                image = wide
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
        return convolve(image, filters, None, self.stride, self.padding, 1, self.groups).movedim(1, -1)

    def parameters(self, image: torch.Tensor, filters: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """MLXConvParams."""
        axes = len(self.image)
        whole = (self.image, self.filter, self.out, self.stride, self.padding, (1,) * axes, self.spread)
        numbers = [self.n, self.channels, self.filters, *(value for row in whole for value in row)]
        strides = [stride for x in (image, filters, out) for stride in x.stride()]
        padding = "4x" if len(numbers) % 2 else ""
        layout = f"{len(numbers)}i{padding}{len(strides)}qi?3x"
        return record(struct.pack(layout, *numbers, *strides, self.groups, False))


def _jumps(sizes: Sizes, image: torch.Tensor) -> list[int]:
    """How far the input moves for the next column, row, slice and block of channels of a filter."""
    strides = image.stride()[1:-1]
    *outer, inner = (stride for stride in strides)
    jumps = [inner]
    back = (sizes.filter[-1] - 1) * inner
    for axis in range(len(outer) - 1, -1, -1):
        jumps.append(outer[axis] - back)
        back += (sizes.filter[axis] - 1) * outer[axis]
    return [*jumps, DEPTH - back]


def _products(sizes: Sizes, image: torch.Tensor, steps: int, tiles: Sequence[int]) -> torch.Tensor:
    """ImplicitGemmConv2DParams or its sister for three axes."""
    m, n, k = sizes.n * math.prod(sizes.out), sizes.filters, math.prod(sizes.filter) * sizes.channels
    return record(struct.pack(f"{8 + len(sizes.image)}i", m, n, k, steps, *_jumps(sizes, image), *tiles, 0))


def _blocks(sizes: Sizes, dtype: torch.dtype, across: int, kind: str) -> Case:
    axes = len(sizes.image)
    down, wm, wn = 32, *((4, 1) if across == 8 else (2, 2))
    kernel = f"implicit_gemm_conv_{axes}d_{NAMES[dtype]}_bm{down}_bn{across}_bk{DEPTH}_wm{wm}_wn{wn}_{kind}"
    few = sizes.channels <= 4

    def run(library: Any) -> Iterable[Answer]:
        image, filters, out = sizes.draw(dtype)
        steps = (
            -(-math.prod(sizes.filter) * 4 // DEPTH) if few else math.prod(sizes.filter) * -(-sizes.channels // DEPTH)
        )
        tiles = -(-sizes.filters // across), -(-sizes.n * math.prod(sizes.out) // down)
        launch(getattr(library, kernel), [*tiles, 1], [32, wn, wm], image, filters, out,
               sizes.parameters(image, filters, out), _products(sizes, image, steps, tiles))  # fmt: skip
        yield Answer(out, sizes.expected(image, filters))

    return Case("steel_conv.metal" if axes == 2 else "steel_conv_3d.metal", (kernel,), str(sizes), run)


def _general(sizes: Sizes, dtype: torch.dtype) -> Case:
    """Also where the image is spread out, as in the gradient of a convolution with strides."""
    kernel = f"implicit_gemm_conv_2d_general_{NAMES[dtype]}_bm32_bn32_bk16_wm2_wn2"

    def run(library: Any) -> Iterable[Answer]:
        image, filters, out = sizes.draw(dtype)
        across = [math.lcm(spread, step) // step for spread, step in zip(sizes.spread, sizes.stride, strict=True)]
        reduced = [-(-n // jump) for n, jump in zip(sizes.out, across, strict=True)]
        rows = sizes.n * math.prod(reduced)
        jumps = ints(*sizes.spread, *across, *reduced, math.prod(reduced), rows)
        bases = [_bases(sizes, axis, across[axis]) for axis in range(2)]
        tiles = -(-sizes.filters // 32), -(-rows // 32)
        launch(getattr(library, kernel), [*tiles, math.prod(across)], [32, 2, 2], image, filters, out,
               sizes.parameters(image, filters, out), _products(sizes, image, -(-sizes.channels // DEPTH), tiles),
               jumps, *bases)  # fmt: skip
        yield Answer(out, sizes.expected(image, filters))

    constants = {200: sizes.channels % DEPTH == 0}
    return Case("steel_conv_general.metal", (kernel,), f"{sizes}, spread {sizes.spread}", run, constants)


def _bases(sizes: Sizes, axis: int, count: int) -> torch.Tensor:
    """For each phase of the output: which element of the filter first meets one of the image, and how many do."""
    found: list[int] = []
    for phase in range(count):
        at, first = phase * sizes.stride[axis] - sizes.padding[axis], 0
        while first < sizes.filter[axis] and at % sizes.spread[axis]:
            first, at = first + 1, at + 1
        found += [first, -(-(sizes.filter[axis] - first) // sizes.spread[axis])]
    return ints(*found)


def _unfold(sizes: Sizes) -> Case:
    axes = len(sizes.image)
    kernel, places = f"naive_unfold_nd_float32_{axes}", math.prod(sizes.filter)

    def run(library: Any) -> Iterable[Answer]:
        image, filters, out = sizes.draw(torch.float32)
        rows = sizes.n * math.prod(sizes.out)
        found = torch.zeros(rows, places, sizes.channels)
        getattr(library, kernel)(
            image, found, sizes.parameters(image, filters, out), 0, threads=[sizes.channels, places, rows],
            group_size=[sizes.channels, places, 1],
        )  # fmt: skip
        image = functional.pad(
            image.double(), (0, 0, *(side for pad in reversed(sizes.padding) for side in (pad, pad)))
        )
        for axis in range(axes):
            image = image.unfold(axis + 1, sizes.filter[axis], sizes.stride[axis])
        yield Answer(found, image.movedim(axes + 1, -1).reshape(rows, places, sizes.channels))

    return Case("conv.metal", (kernel,), str(sizes), run)


def _depthwise(sizes: Sizes, dtype: torch.dtype) -> Case:
    kernel = f"depthwise_conv_2d_{NAMES[dtype]}"

    def run(library: Any) -> Iterable[Answer]:
        image, filters, out = sizes.draw(dtype)
        groups = [sizes.channels // 8, -(-sizes.out[1] // 8), -(-sizes.out[0] // 4) * sizes.n]
        launch(getattr(library, kernel), groups, [8, 8, 4], image, filters, out, sizes.parameters(image, filters, out))
        yield Answer(out, sizes.expected(image, filters))

    constants = {
        0: sizes.filter[0], 1: sizes.filter[1], 10: sizes.stride[0], 11: sizes.stride[1], 100: 4, 101: 8, 200: False,
    }  # fmt: skip
    return Case("conv.metal", (kernel,), str(sizes), run, constants)


def _depthwise_rows() -> Case:
    kernel, n, time, channels, taps = "depthwise_conv_1d_float32", 2, 40, 12, 4

    def run(library: Any) -> Iterable[Answer]:
        x, filters, out = (
            torch.randn(n, time, channels),
            torch.randn(channels, taps),
            torch.zeros(n, time - 3, channels),
        )
        getattr(library, kernel)(
            x, filters, out, ints(*x.stride()), taps, threads=[channels, time - 3, n], group_size=[channels, 1, 1]
        )
        want = functional.conv1d(x.double().transpose(1, 2), filters.double()[:, None], groups=channels)
        yield Answer(out, want.transpose(1, 2))

    return Case("conv.metal", (kernel,), f"{n}x{time}x{channels} by {taps}", run)
