"""Pointwise and half convolutions, searches, cross entropies, shared rows and wide heads on an NVIDIA GPU."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from templates_kit import error, on_gpu
from torch import nn

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


class Module(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def compare(module: nn.Module, inputs: list[torch.Tensor], folder: Path, floor: float) -> None:
    """At most twice as far from float64 as eager without tf32, or ``floor``; twice the same."""
    model, given = on_gpu(module, inputs, folder), [x.cuda() for x in inputs]
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        eager = module.cuda()(*given)
        answer, again = model(*given), model(*given)
        wide = (x.double() if x.is_floating_point() else x for x in given)
        exact = copy.deepcopy(module).double()(*wide)
    assert answer.shape == eager.shape and torch.equal(answer, again)
    assert error(answer, exact) <= max(2 * error(eager, exact), floor)


EXACT, HALF = 2.0**-22, 2.0**-11
LAYERS: dict[str, tuple[nn.Module, tuple[int, ...], float]] = {
    "few channels": (nn.Conv2d(64, 128, 1), (4, 64, 256, 256), EXACT),
    "few channels, odd places": (nn.Conv2d(96, 24, 1), (16, 96, 63, 65), EXACT),
    "three channels": (nn.Conv2d(3, 16, 1, bias=False), (8, 3, 128, 128), EXACT),
    "many channels": (nn.Conv2d(1024, 512, 1), (16, 1024, 14, 14), HALF),
    "small images": (nn.Conv2d(960, 320, 1), (10, 960, 7, 7), HALF),
    "1d": (nn.Conv1d(64, 128, 1), (8, 64, 5000), EXACT),
    "half": (nn.Conv2d(64, 64, 3, padding=1), (8, 64, 256, 256), HALF),
    "half 1d, strides and dilation": (nn.Conv1d(64, 128, 3, stride=3, dilation=4), (8, 64, 50_000), HALF),
    "transposed": (nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1), (8, 64, 128, 128), HALF),
    "transposed 3d": (nn.ConvTranspose3d(32, 64, 3, stride=2, padding=1), (8, 32, 16, 32, 32), HALF),
    "implicit GEMM": (nn.Conv2d(8, 64, 3), (4, 8, 256, 256), 2 * EXACT),
    "implicit GEMM, 3d": (nn.Conv3d(3, 16, 3, padding=1), (4, 3, 16, 63, 65), 2 * EXACT),
    "transposed depthwise": (nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1, groups=64), (8, 64, 64, 64), EXACT),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer, shape, floor = LAYERS[name]
    compare(nn.Sequential(nn.ReLU(), layer, nn.GELU()), [3.0 * torch.randn(shape)], tmp_path, floor)


@pytest.mark.skipif(
    torch.cuda.mem_get_info()[1] < 40 << 30 if torch.cuda.is_available() else True, reason="needs 40 GB"
)
def test_halves_of_nearly_as_many_elements_as_32_bits_count() -> None:
    from kernelwright.authors.templates.kernels.halves import to_half_channels_last

    x = torch.zeros(1, 8, 1, (1 << 28) - 4096, device="cuda")
    x[0, 5, 0, -1] = -3.0
    half, unit = to_half_channels_last(x, torch.channels_last)
    assert float(half[0, 5, 0, -1]) * float(unit) == -3.0
    assert int(half.count_nonzero()) == 1


ROWS: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...]]] = {
    "softmax": (lambda x: (x * 3.0).softmax(1), (300, 393_216)),
    "log_softmax": (lambda x: x.log_softmax(1), (300, 300_001)),
    "instance_norm": (lambda x: F.instance_norm(x + 5.0), (4, 40, 512, 512)),
    "attention": (lambda x: F.scaled_dot_product_attention(x, x * 2.0, x + 1.0), (4, 8, 512, 512)),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    function, shape = ROWS[name]
    compare(Module(function), [torch.randn(shape)], tmp_path, EXACT)


@pytest.mark.parametrize("shape", [(4096, 8192), (40_000, 33), (3, 1_000_003)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropies(reduction: str, shape: tuple[int, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Module(lambda x, t: F.cross_entropy(x, t, reduction=reduction, ignore_index=5))
    inputs = [3.0 * torch.randn(shape), torch.randint(0, shape[1], shape[:1])]
    compare(module, inputs, tmp_path, EXACT)


@pytest.mark.parametrize("shape", [(64, 300, 501), (3, 1, 2_000_003), (2_000, 7, 129)])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_searches(dim: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    if shape[dim] == 1:
        pytest.skip("one element is the largest")
    x = torch.randint(-50, 50, shape).float()
    x.view(-1)[torch.randint(0, x.numel(), (100,))] = float("nan")
    for least in (False, True):
        module = Module(lambda x, least=least: tuple(x.min(dim) if least else x.max(dim)))
        model, given = on_gpu(module, [x], tmp_path), x.cuda()
        for answer, eager in zip(model(given), module(given.cpu()), strict=True):
            torch.testing.assert_close(answer.cpu(), eager, rtol=0.0, atol=0.0, equal_nan=True)
