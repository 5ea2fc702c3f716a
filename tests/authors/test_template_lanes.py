"""Threads that lie side by side read and write elements that do, whatever the sizes: as compiled for an H100.

Triton lays threads along the axis along which it knows addresses to follow each other; with windows two columns apart,
or rows of odd length, it knows of none.
"""

import re
from pathlib import Path

import pytest
import torch
from compiled_kit import compiled
from torch import nn

from kernelwright.authors.templates import implicit, pointwise, products, windows

pytest.importorskip("triton")

SMALL = [(windows, "FEWEST_ELEMENTS", 1), (implicit, "FEWEST_ELEMENTS", 1), (pointwise, "FEWEST_ELEMENTS", 1)]
CASES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "pool, strides": (nn.MaxPool2d(3, 2, 1), (2, 3, 65, 129)),
    "pool, strides and dilation, 3d": (nn.MaxPool3d(3, 2, 1, dilation=3), (1, 2, 16, 32, 128)),
    "mean of windows side by side": (nn.AvgPool2d(11), (2, 3, 99, 1111)),
    "depthwise, strides": (nn.Conv2d(4, 4, 3, stride=2, groups=4), (2, 4, 33, 129)),
    "depthwise, transposed": (nn.ConvTranspose2d(4, 4, 3, stride=2, groups=4), (2, 4, 17, 65)),
    "one tap, odd planes": (nn.Conv2d(64, 32, 1), (8, 64, 7, 7)),
    "one tap, even planes": (nn.Conv2d(64, 32, 1), (2, 64, 16, 14)),
    "implicit": (nn.Conv2d(3, 16, 3), (2, 3, 33, 67)),
    "implicit, four taps in a row": (nn.Conv3d(3, 24, 4), (2, 3, 9, 17, 21)),
    "implicit, strides and padding": (nn.Conv2d(8, 64, 3, stride=2, padding=1), (2, 8, 33, 65)),
    "implicit, even sizes": (nn.Conv2d(8, 64, 3, padding=1), (2, 8, 32, 64)),
}


@pytest.mark.parametrize("name", CASES)
def test_lanes_lie_along_memory(name: str, tmp_path: Path) -> None:
    module, size = CASES[name]
    _, texts = compiled(module, [torch.randn(size)], SMALL, tmp_path, form="ttgir", halves=False)
    assert len(texts) == 1
    pairs = r"(#\w+) = #ttg\.blocked<\{sizePerThread = \[(\d+), (\d+)\], threadsPerWarp = \[(\d+), (\d+)\]"
    side_by_side = {layout: (int(a) * int(c), int(b) * int(d)) for layout, a, b, c, d in re.findall(pairs, texts[0])}
    moved = re.findall(r"tt\.(?:load|store) %(\w+).*: tensor<(\d+)x(\d+)x!tt\.ptr<f32>, (#\w+)>", texts[0])
    moved = [(int(a), int(b), side_by_side[layout]) for what, a, b, layout in moved if "taps" not in what]
    assert len(moved) > 1
    axis = 0 if name.startswith("implicit") else 1  # of places that lie side by side
    for *shape, warp in moved:
        assert warp[axis] >= min(shape[axis], 16), "a warp reads whole lines, of 16 elements at least"


FEW_ROWS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "depthwise, 3d": (nn.Conv3d(16, 16, (3, 3, 5), padding=1, groups=16), (2, 16, 17, 30, 33)),
    "pool, 3d, planes share tiles": (nn.MaxPool3d(3, 2, 1), (2, 8, 34, 32, 30)),
    "pool, 3d, tiles of one plane": (nn.MaxPool3d(3, 2, 1, dilation=3), (2, 8, 64, 64, 64)),
    "mean, 3d": (nn.AvgPool3d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 8, 34, 32, 30)),
    "depthwise, transposed, 3d": (nn.ConvTranspose3d(4, 4, 3, stride=2, groups=4, padding=1), (2, 4, 17, 33, 35)),
    "implicit, padding": (nn.Conv3d(3, 24, 4, padding=1), (2, 3, 9, 17, 21)),
}


@pytest.mark.parametrize("name", FEW_ROWS)
def test_no_two_rows_share_a_register(name: str, tmp_path: Path) -> None:
    """ptxas 12.8 miscompiles arithmetic of packed 16-bit integers (kernels/windows.py)."""
    module, size = FEW_ROWS[name]
    _, texts = compiled(module, [torch.randn(size)], SMALL, tmp_path, halves=False)
    assert texts
    assert not re.findall(r"\S+16x2\b.*", "".join(texts))


ROWS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "groups of channels, shared by programs": (nn.Sequential(nn.GELU(), nn.GroupNorm(8, 64)), (128, 64, 258, 258)),
    "groups of channels, kept whole": (nn.Sequential(nn.GELU(), nn.GroupNorm(32, 64)), (128, 64, 126, 126)),
    "layers, in parts": (nn.LayerNorm((64, 256, 256)), (16, 64, 256, 256)),
    "layers, kept whole": (nn.LayerNorm(1024), (4096, 1024)),
    "shared by programs": (nn.Softmax(1), (4096, 393216)),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_not_laid_out_again(name: str, tmp_path: Path) -> None:
    """What one thread stores into shared memory is statistics: not a block, and no block for each of its elements."""
    module, size = ROWS[name]
    captured, texts = compiled(module, [torch.zeros(1).expand(size)], [], tmp_path, halves=False)
    assert "reduction_1" in captured and texts
    for text in texts:
        assert len(re.findall(r"st\.shared", text)) < 64


def test_columns_that_no_wide_load_divides_are_read_side_by_side(tmp_path: Path) -> None:
    """Their parts are filled up, and read in blocks whose threads lie along the columns."""
    module, inputs = Product(), [torch.randn(300, 173), torch.randn(173, 201)]
    _, texts = compiled(module, inputs, [(products, "FEWEST_FLOPS", 1)], tmp_path, form="ttgir", halves=False)
    (text,) = (text for text in texts if "product_1_kernel" in text)
    blocked = dict(re.findall(r"(#\w+) = #ttg\.blocked<\{sizePerThread = \[(\d+, \d+)\]", text))
    copied = re.findall(r"async_copy_global_to_local %\w*b[hl]\w*.*tensor<\d+x\d+x!tt\.ptr<f16>, (#\w+)>", text)
    copied += re.findall(r"tt\.load %b[hl]\w*.*tensor<\d+x\d+x!tt\.ptr<f16>, (#\w+)>", text)
    assert len(copied) >= 2
    assert {blocked[layout] for layout in copied} == {"1, 8"}


class Product(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x @ y
