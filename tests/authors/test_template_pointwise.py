"""Convolutions with one tap in the author ``templates``: what their kernels take along, and what they compute."""

import re
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
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import pointwise
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.epilogue import Epilogue
from kernelwright.authors.templates.pointwise import Pointwise
from kernelwright.authors.templates.prologue import Prologue


class Around(nn.Module):
    """A convolution from 20 to 24 channels between batch norms, with what else networks have there."""

    def __init__(self, layer: nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.layer = layer
        self.function = function
        self.shift = nn.Parameter(torch.randn(24, *(1,) * (layer.weight.dim() - 2)))
        self.norms = nn.ModuleList([nn.BatchNorm2d(20), nn.BatchNorm2d(24)])
        for norm in self.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


def conv2d() -> nn.Module:
    return nn.Conv2d(20, 24, 1)


Function = Callable[..., torch.Tensor]
CASES: dict[str, tuple[Callable[[], nn.Module], Function, tuple[tuple[int, ...], ...]]] = {
    "1d": (lambda: nn.Conv1d(20, 24, 1), lambda m, x: torch.relu(m.layer(x)) - m.shift, ((3, 20, 50),)),
    "2d": (lambda: nn.Conv2d(20, 24, 1, bias=False), lambda m, x: m.layer(x) * 0.5 - m.shift, ((2, 20, 9, 8),)),
    "3d": (lambda: nn.Conv3d(20, 24, 1), lambda m, x: m.layer(x.abs()), ((2, 20, 3, 4, 5),)),
    "between norms": (
        conv2d,
        lambda m, x: torch.relu(m.norms[1](m.layer(torch.relu(m.norms[0](x))))),
        ((3, 20, 7, 7),),
    ),
    "a residual": (conv2d, lambda m, x, y: m.layer(x) + y, ((2, 20, 5, 7), (2, 24, 5, 7))),
    "a factor for each channel of each image": (
        conv2d,
        lambda m, x, s, t: m.layer(x * s) * t,
        ((2, 20, 5, 7), (2, 20, 1, 1), (2, 24, 1, 1)),
    ),
    "a factor for each place": (
        conv2d,
        lambda m, x, s, t: m.layer(x * s) * t,
        ((2, 20, 5, 7), (2, 1, 5, 7), (2, 1, 5, 7)),
    ),
    "several steps": (lambda: nn.Conv2d(150, 24, 1), lambda m, x: m.layer(x), ((2, 150, 5, 7),)),
    "several blocks": (lambda: nn.Conv2d(20, 150, 1), lambda m, x: m.layer(torch.relu(x)), ((1, 20, 33, 16),)),
}
ANY = [(pointwise, "FEWEST_ELEMENTS", 1)]
HALF = [*ANY, (pointwise, "EXACT_UNTIL", 0)]
SPOILT = (float("nan"), float("inf"), 1e-30)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases: dict[str, Case] = {}
    for name, (make, function, shapes) in CASES.items():
        module = Around(make(), function).eval()
        inputs = [torch.randn(shape) * torch.exp2(torch.randint(-9, 9, shape).float()) for shape in shapes]
        cases[name] = Case.of(module, inputs, ANY)
        if name in ("2d", "several steps"):
            cases[f"{name}, half"] = Case.of(module, inputs, HALF)
    spoilt = torch.randn(1, 20, 4, 9)
    for column, value in enumerate(SPOILT):
        spoilt[0, 2, column] = value
    spoilt[0, :, 3] = 1e30
    cases["spoilt"] = Case.of(Around(conv2d(), lambda m, x: m.layer(x)), [spoilt], ANY)
    return interpreted(tmp_path_factory.mktemp("pointwise"), cases)


@pytest.mark.parametrize("name", CASES)
def test_three_products_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32 and answer.is_contiguous()
    assert error(answer, exact) <= 2 * error(eager, exact) + torch.finfo(torch.float32).eps / 4


@pytest.mark.parametrize("name", ["2d", "several steps"])
def test_one_product_is_as_exact_as_tf32(name: str, answers: Answers) -> None:
    answer, _, exact = answers[f"{name}, half"]
    assert 2.0**-20 < error(answer, exact) < 2.0**-11


def test_a_place_that_is_not_finite_spoils_no_other(answers: Answers) -> None:
    answer, eager, _ = answers["spoilt"]
    assert not answer[0, :, :2].isfinite().any()
    torch.testing.assert_close(answer[0, :, 2:], eager[0, :, 2:], rtol=1e-4, atol=1e-6)


def graph_of(layer: nn.Module, *shapes: tuple[int, ...], function: Function = lambda m, x: m.layer(x)) -> Graph:
    return capture(Around(layer, function).eval(), [torch.randn(shape) for shape in shapes]).graph


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 1, stride=2),
        nn.Conv2d(64, 64, 1, padding=1),
        nn.Conv2d(64, 64, 1, groups=2),
        nn.Conv2d(64, 64, (1, 3)),
        nn.ConvTranspose2d(64, 64, 1),
    ],
)
def test_only_products_are_found(layer: nn.Module) -> None:
    assert pointwise.find(graph_of(layer, (1, 64, 64, 64))) == []
    assert len(pointwise.find(graph_of(nn.Conv2d(64, 64, 1), (1, 64, 64, 64)))) == 1


def test_one_product_is_for_many_channels() -> None:
    few, many = graph_of(nn.Conv2d(64, 128, 1), (1, 64, 64, 64)), graph_of(nn.Conv2d(512, 512, 1), (1, 512, 16, 16))
    assert pointwise.find(few, halves=True) == []
    (half,) = pointwise.find(many, halves=True)
    (exact,) = pointwise.find(many)
    assert (half.exact, exact.exact) == (False, True)
    captured = capture(nn.Conv2d(512, 512, 1), [torch.randn(1, 512, 16, 16)])
    inexact, safe = (write(Form(captured, captured.graph), halves=halves) for halves in (True, False))
    assert inexact is not None and "EXACT=False" in inexact.source and "low" not in inexact.source.split("class ")[1]
    assert safe is not None and "EXACT=True" in safe.source


def test_work_in_front_is_not_done_again_for_many_blocks() -> None:
    def behind(m: Around, x: torch.Tensor) -> torch.Tensor:
        return m.layer(torch.relu(x))

    few, many = (graph_of(nn.Conv2d(64, c, 1), (1, 64, 64, 64), function=behind) for c in (256, 2048))
    assert [len(p.before.lines) for p in (*pointwise.find(few), *pointwise.find(many))] == [2, 0]


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 64), st.integers(1, 100_000))
def test_blocks_cover_and_fit_into_registers(inputs: int, outputs: int, images: int, places: int) -> None:
    one = Pointwise(1, inputs, outputs, images, places, True, Prologue(0, (), ()), Epilogue(1, (), ()))
    block = one.block
    assert one.programs * block.rows * block.columns >= outputs * images * places
    assert all(n >= 16 and n & (n - 1) == 0 for n in (block.rows, block.columns, block.depth))
    assert max(block.rows * block.columns, block.depth * block.columns) <= 1 << 14


def test_blocks_are_read_and_written_16_bytes_at_a_time(tmp_path: Path) -> None:
    module, inputs = (
        Around(nn.Conv2d(64, 24, 1), lambda m, x: torch.relu(m.layer(x)) - m.shift),
        [torch.randn(1, 64, 32, 64)],
    )
    _, (text,) = compiled(module.eval(), inputs, [], tmp_path)
    assert re.search(r"(wgmma|mma)\S*f32\.f16\.f16", text)
    moved = [line for line in text.splitlines() if "ld.global" in line or "st.global" in line]
    assert sum(".v4." in line for line in moved) >= len(moved) // 2
    assert any("st.global" in line and ".v4." in line for line in moved)
