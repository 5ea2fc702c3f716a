"""Author ``templates`` on an NVIDIA GPU: every pointwise operation, a recorded graph, and the judge's own verdict."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from templates_kit import on_gpu
from torch import nn

from kernelwright.authors.templates import tuning
from kernelwright.authors.templates.epilogue import EXPRESSIONS
from kernelwright.authors.templates.tiles import Lie, Shape
from kernelwright.judge.gate import OpenGate

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "add": lambda x: x + 0.5,
    "sub": lambda x: 1.0 - x,
    "mul": lambda x: x * -1.5,
    "div": lambda x: x / 3.0,
    "maximum": lambda x: torch.maximum(x, x[:1, :1].detach() * 0.0),
    "minimum": lambda x: torch.minimum(x, x.new_zeros(())),
    "relu": torch.relu,
    "clamp": lambda x: x.clamp(-0.5, 2.0),
    "neg": torch.neg,
    "abs": torch.abs,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "reciprocal": torch.reciprocal,
    "sqrt": lambda x: x.abs().sqrt(),
    "rsqrt": lambda x: (x.abs() + 0.1).rsqrt(),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": lambda x: x.abs().log(),
    "erf": torch.erf,
    "gelu": lambda x: F.gelu(x) + F.gelu(x, approximate="tanh"),
    "softplus": F.softplus,
    "mish": F.mish,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "power": lambda x: x**2 + x**3 + x.abs() ** 1.5,
}


class After(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(512, 1024)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.linear(x))


def errors(module: nn.Module, model: nn.Module, inputs: list[torch.Tensor]) -> tuple[float, float]:
    """Of the written module and of eager, against float64, in the norm."""
    given = [x.cuda() for x in inputs]
    with torch.no_grad():
        eager = module.cuda()(*given)
        found = model(*given)
        exact = module.double()(*(x.double() for x in given))
    module.float()
    return tuple(float((y.double() - exact).norm() / exact.norm()) for y in (found, eager))


def test_every_expression_has_a_case() -> None:
    assert set(FUNCTIONS) | {"rsqrt"} >= set(EXPRESSIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_follows_a_product_is_as_exact_as_eager(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = After(FUNCTIONS[name]), [4.0 * torch.randn(512, 512)]
    found, eager = errors(module, on_gpu(module, inputs, tmp_path), inputs)
    assert found <= 2 * eager + 2e-7


def test_a_recorded_graph_follows_inputs_and_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = After(torch.relu), [torch.randn(512, 512)]
    model = on_gpu(module, inputs, tmp_path, around="replayed")
    assert max(errors(module, model, inputs)) < 1e-5
    kept = model(inputs[0].cuda())
    before = kept.clone()
    assert max(errors(module, model, [torch.randn(512, 512)])) < 1e-5
    assert torch.equal(kept, before)
    other = After(torch.relu)
    model.load_state_dict(other.state_dict())
    assert max(errors(other, model, inputs)) < 1e-5


def test_a_convolution_is_as_exact_as_eager(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU())
    inputs = [torch.randn(8, 64, 64, 64)]
    found, eager = errors(module, on_gpu(module, inputs, tmp_path), inputs)
    assert found <= 4 * eager


def test_a_tile_is_found_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    chosen = tuning.on_this_device(OpenGate())(Shape(1, 512, 1024, 512), Lie.NN)
    monkeypatch.setattr(tuning._Stand, "build", None)
    assert tuning.on_this_device(OpenGate())(Shape(1, 512, 1024, 512), Lie.NN) == chosen
