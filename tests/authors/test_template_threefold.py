"""Convolutions over three times as many channels: what they are made of, and how exact they are in tf32."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from compiled_kit import load
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from templates_kit import error
from torch import nn
from torch.nn import functional as F

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import half_layers, threefold
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.kernels.threefold import channels_in_three, filters_in_three, high_bits
from kernelwright.schema import Target

CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "2d": (lambda: nn.Conv2d(5, 24, (3, 5), padding=(1, 2)), (2, 5, 17, 19)),
    "3d": (lambda: nn.Conv3d(3, 24, 3, stride=2, bias=False), (2, 3, 7, 8, 9)),
    "transposed 2d": (lambda: nn.ConvTranspose2d(8, 24, 3, stride=2, output_padding=1), (2, 8, 9, 11)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(3, 24, 3), (2, 3, 4, 5, 6)),
}


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_layers, "FEWEST_FLOPS", 1)


def tf32(x: torch.Tensor) -> torch.Tensor:
    """As tensor cores read it: 13 bits are cut off."""
    return (x.view(torch.int32) & -8192).view(torch.float32)


def in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions as cuDNN computes them on tensor cores, with sums that are exact."""
    for name in ("conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d"):
        exact = getattr(F, name)

        def rounded(x: Any, weight: Any, bias: Any = None, *more: Any, exact: Any = exact, **named: Any) -> Any:
            bias = None if bias is None else bias.double()
            return exact(tf32(x).double(), tf32(weight).double(), bias, *more, **named).float()

        monkeypatch.setattr(F, name, rounded)


class Between(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(x) * 0.5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_in_tf32_they_are_as_exact_as_float32(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    make, shape = CONVOLUTIONS[name]
    module, x = Between(make()), torch.randn(shape)
    with torch.no_grad():
        exact = Between(make()).double()
        exact.load_state_dict(module.state_dict())
        right = exact(x.double())
    captured = capture(module, [x])
    form = Form(captured, captured.graph)
    written = write(form, halves=False, only={"threefold convolutions"})
    assert written is not None and written.title == "threefold convolutions"
    assert written.target is Target.TORCH and "triton" not in written.source
    model = load(written.source, tmp_path).ModelNew()
    model.load_state_dict(module.state_dict())
    in_tf32(monkeypatch)
    with torch.no_grad():
        assert error(model(x), right) < 3e-7
        assert error(module(x), right) > 1e-4


def test_long_sums_and_groups_stay_as_they_are() -> None:
    def count(layer: nn.Module, *shape: int) -> int:
        return len(threefold.find(capture(Between(layer), [torch.zeros(shape)]).graph))

    assert count(nn.Conv2d(8, 8, 3), 1, 8, 9, 9) == 1
    assert count(nn.Conv2d(64, 8, 3), 1, 64, 9, 9) == 0
    assert count(nn.ConvTranspose2d(64, 256, 1), 1, 64, 9, 9) == 1
    assert count(nn.Conv2d(8, 8, 3, groups=2), 1, 8, 9, 9) == 0
    assert count(nn.Conv1d(8, 8, 3), 1, 8, 9) == 0


@given(arrays("float32", 16, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_both_parts_are_all_there_is(values: Any) -> None:
    x = torch.from_numpy(values)
    high = high_bits(x)
    assert torch.equal(tf32(high), high)
    assert torch.equal(high + (x - high), x)
    kept = high.double() + tf32(x - high).double()
    assert bool(((kept - x.double()).abs() <= x.double().abs() * 2.0**-22 + 1e-38).all())


def test_channels_meet_the_filters_that_belong_to_them() -> None:
    x, weight = torch.randn(2, 3, 4, 4), torch.randn(5, 3, 1, 1)
    three = channels_in_three(x, torch.channels_last), filters_in_three(weight, 1, torch.channels_last)
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in three)
    parts = SimpleNamespace(x=high_bits(x), w=high_bits(weight))
    product = F.conv2d(*three)
    expected = F.conv2d(x, weight) - F.conv2d(x - parts.x, weight - parts.w)
    assert torch.allclose(product, expected, atol=1e-5)
