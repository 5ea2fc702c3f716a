"""Convolutions over their input as it lies, in the author ``templates``: where they pay, and what they compute."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from compiled_kit import compiled
from hypothesis import given
from hypothesis import strategies as st
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import direct
from kernelwright.authors.templates.kernels.taps import half_taps, taps_unit

T2, T3 = nn.ConvTranspose2d, nn.ConvTranspose3d
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "1d, strides and dilation": (lambda: nn.Conv1d(20, 24, 5, stride=2, dilation=3, padding=2), (3, 20, 61)),
    "2d": (lambda: nn.Conv2d(20, 24, (3, 5), padding=(1, 2), bias=False), (2, 20, 9, 11)),
    "2d, groups": (lambda: nn.Conv2d(12, 24, 3, stride=(1, 2), groups=3), (2, 12, 9, 11)),
    "3d, few channels": (lambda: nn.Conv3d(3, 24, (2, 3, 3)), (2, 3, 4, 5, 6)),
    "many channels": (lambda: nn.Conv2d(70, 24, 3), (1, 70, 5, 6)),
    "transposed 1d, dilated": (lambda: nn.ConvTranspose1d(20, 24, 5, dilation=3), (2, 20, 37)),
    "transposed 1d, strides and dilation": (
        lambda: nn.ConvTranspose1d(20, 24, 3, stride=2, padding=1, dilation=2),
        (2, 20, 37),
    ),
    "transposed 2d": (lambda: T2(20, 24, 3, stride=2, padding=1, output_padding=1), (2, 20, 5, 7)),
    "transposed 2d, no tap for most": (lambda: T2(20, 24, 3, stride=5, padding=1, dilation=2), (1, 20, 4, 6)),
    "transposed 2d, groups": (
        lambda: T2(16, 24, (3, 5), stride=(2, 3), padding=(1, 2), dilation=(2, 1), groups=4),
        (1, 16, 5, 7),
    ),
    "transposed 3d, groups": (
        lambda: T3(8, 24, (3, 5, 7), stride=2, padding=(1, 2, 3), output_padding=1, groups=2),
        (1, 8, 2, 3, 4),
    ),
    "transposed 3d": (lambda: T3(5, 24, 4, stride=2, padding=1, bias=False), (2, 5, 2, 3, 4)),
}
ANY = [(direct, "FEWEST_ELEMENTS", 1), (direct, "MARGIN", 1e9)]


class Convolved(nn.Module):
    """A convolution with what follows it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.shift = nn.Parameter(torch.randn(1, 24, *(1,) * (layer.weight.dim() - 2)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(x) * 0.5 - self.shift)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases = {
        name: Case.of(Convolved(make()), [3e4 * torch.randn(shape)], ANY) for name, (make, shape) in LAYERS.items()
    }
    return interpreted(tmp_path_factory.mktemp("direct"), cases)


@pytest.mark.parametrize("name", LAYERS)
def test_direct_convolutions_are_as_exact_as_tf32(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32 and answer.is_contiguous()
    assert error(answer, exact) < 2.0**-11
    assert bool((answer == eager).logical_not().any())


@given(st.sampled_from([1, 2, 3]), st.booleans(), st.integers(0, 1000))
def test_taps_hold_the_weight(groups: int, transposed: bool, seed: int) -> None:
    torch.manual_seed(seed)
    weight = torch.randn((2 * groups, 5, 3) if transposed else (5 * groups, 2, 3))
    taps, unit = half_taps(weight, groups, transposed), taps_unit(weight, groups, transposed)
    assert taps.shape == (3, 5 * groups, 2)
    for group in range(groups):
        for tap in range(3):
            own = (
                weight[2 * group : 2 * group + 2, :, tap].T if transposed else weight[5 * group : 5 * group + 5, :, tap]
            )
            held = (taps[tap] * unit[:, None])[5 * group : 5 * group + 5]
            torch.testing.assert_close(held, own, rtol=2.0**-11, atol=0.0)


def test_they_are_for_what_memory_limits() -> None:
    def found(layer: nn.Module, *shape: int) -> int:
        return len(direct.find(capture(Convolved(layer), [torch.zeros(shape)]).graph))

    assert found(T2(32, 24, 2, stride=2), 1, 32, 128, 128) == 1
    assert found(nn.Conv1d(64, 24, 2), 1, 64, 65536) == 1
    assert found(nn.Conv2d(512, 24, 7), 1, 512, 64, 64) == 0
    assert found(nn.Conv2d(32, 24, 3, groups=4), 1, 32, 256, 256) == 1
    assert found(nn.Conv2d(24, 24, 3, groups=24), 1, 24, 256, 256) == 0
    assert found(T2(64, 24, 4, stride=9), 1, 64, 64, 64) == 0


@pytest.mark.parametrize("layer", [T2(64, 24, 4, stride=2, padding=1), nn.Conv2d(64, 24, 3, padding=1)])
def test_products_are_on_tensor_cores(layer: nn.Module, tmp_path: Path) -> None:
    _, (text,) = compiled(Convolved(layer), [torch.zeros(1, 64, 128, 128)], ANY, tmp_path)
    assert "f32.f16.f16" in text and ".local" not in text
