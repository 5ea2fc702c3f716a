"""Depthwise convolutions, pools and recurrent layers on an NVIDIA GPU: at full size, and on many programs at once."""

from pathlib import Path

import pytest
import torch
from templates_kit import on_gpu
from torch import nn

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


def compare(module: nn.Module, model: nn.Module, inputs: list[torch.Tensor]) -> None:
    """At most twice as far from float64 as eager without tf32."""
    given = [x.cuda() for x in inputs]
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        eager = _listed(module.cuda()(*given))
        found = _listed(model(*given))
        exact = _listed(module.double()(*(x.double() for x in given)))
    module.float().cpu()
    for answer, own, right in zip(found, eager, exact, strict=True):
        error, allowed = (float((y.double() - right).norm() / right.norm()) for y in (answer, own))
        assert answer.shape == own.shape
        assert error <= 2 * allowed + torch.finfo(torch.float32).eps / 4


def _listed(outputs: object) -> list[torch.Tensor]:
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    assert isinstance(outputs, tuple | list)
    return [tensor for part in outputs for tensor in _listed(part)]


WINDOWS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "depthwise": (nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.ReLU6()), (8, 64, 112, 112)),
    "depthwise, GELU": (nn.Sequential(nn.Conv2d(96, 96, 7, padding=3, groups=96), nn.GELU()), (4, 96, 14, 14)),
    "depthwise 1d, dilated": (nn.Conv1d(32, 64, 3, stride=2, dilation=4, groups=32), (8, 32, 5000)),
    "depthwise 3d": (nn.Conv3d(16, 16, (3, 3, 5), padding=1, groups=16), (2, 16, 17, 30, 33)),
    "max": (nn.Sequential(nn.SiLU(), nn.MaxPool2d(3, 2, 1), nn.Tanh()), (8, 64, 111, 111)),
    "mean of 121": (nn.AvgPool2d(11), (4, 16, 512, 512)),
    "mean, over the edge": (nn.AvgPool3d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 8, 34, 32, 30)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_on_a_device(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, shape = WINDOWS[name]
    inputs = [3.0 * torch.randn(shape)]
    compare(module, on_gpu(module, inputs, tmp_path), inputs)


def test_a_maximum_of_what_is_no_number_is_none(tmp_path: Path) -> None:
    module, inputs = nn.MaxPool2d(3, 2, 1), [torch.randn(2, 8, 96, 96)]
    inputs[0][0, 0, 5, 5], inputs[0][1, 1] = float("nan"), float("-inf")
    model = on_gpu(module, inputs, tmp_path)
    given = inputs[0].cuda()
    assert torch.equal(model(given).nan_to_num(7.0), module(given).nan_to_num(7.0))


RECURRENT: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "lstm": (nn.LSTM(128, 256, 2, batch_first=True), (10, 200, 128)),
    "lstm, both directions": (nn.LSTM(64, 256, bidirectional=True), (200, 10, 64)),
    "lstm, many units": (nn.LSTM(64, 1000), (40, 3, 64)),
    "gru": (nn.GRU(128, 256, 2), (200, 10, 128)),
    "gru, both directions": (nn.GRU(64, 200, bidirectional=True, batch_first=True), (16, 50, 64)),
    "tanh": (nn.RNN(64, 512), (100, 1, 64)),
}


@pytest.mark.parametrize("around", ["", "replayed"])
@pytest.mark.parametrize("name", RECURRENT)
def test_programs_wait_for_each_other(name: str, around: str, tmp_path: Path) -> None:
    """Several times, with other inputs: what a launch leaves behind must not reach the next one."""
    torch.manual_seed(0)
    module, shape = RECURRENT[name]
    model = on_gpu(module, [torch.randn(shape)], tmp_path, around=around)
    for _ in range(3):
        compare(module, model, [torch.randn(shape)])


def test_a_recurrence_inside_a_compiled_module(tmp_path: Path) -> None:
    """TorchInductor leaves the launch of all programs at once to the function that makes it."""
    torch.manual_seed(0)
    module, inputs = nn.GRU(64, 128), [torch.randn(50, 4, 64)]
    compare(module, torch.compile(on_gpu(module, inputs, tmp_path)), inputs)
