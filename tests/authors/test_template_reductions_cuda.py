"""Reductions and scans of the author ``templates`` on an NVIDIA GPU: as exact as eager's, in every way to cut rows."""

import copy
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from templates_kit import error
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates.author import Form, write

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

Function = Callable[..., torch.Tensor]


class Module(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.randn(64))
        self.shift = nn.Parameter(torch.randn(64))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


def made(function: Function, inputs: list[torch.Tensor], folder: Path) -> tuple[nn.Module, nn.Module]:
    """The module and what the author writes for it, with the same weights, on the GPU."""
    module = Module(function)
    captured = capture(module, [x.cpu() for x in inputs])
    written = write(Form(captured, captured.graph))
    assert written is not None
    path = folder / "made.py"
    path.write_text(written.source)
    spec = importlib.util.spec_from_file_location("made", path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    model = loaded.ModelNew()
    model.load_state_dict(module.state_dict())
    return module.cuda(), model.cuda()


ROWS = {
    "kept": (2048, 4096),
    "of another size than a power of two": (2048, 4095),
    "short": (65536, 24),
    "in the cache": (300, 65535),
    "looped": (300, 100_003),
    "in parts": (3, 1_000_003),
}
FUNCTIONS: dict[str, Function] = {
    "softmax": lambda m, x: (x * 3.0).softmax(1),
    "log_softmax": lambda m, x: x.log_softmax(1) * 0.5,
    "logsumexp": lambda m, x: F.gelu(x.logsumexp(1)),
    "sum": lambda m, x: x.tanh().sum(1, keepdim=True),
    "mean": lambda m, x: x.abs().mean(1),
    "amax": lambda m, x: x.amax(1),
    "amin": lambda m, x: F.silu(x).amin(1),
    "layer_norm": lambda m, x: F.layer_norm(x + 100.0, x.shape[1:]),
    "l2": lambda m, x: x / torch.norm(x, dim=1, keepdim=True),
    "frobenius": lambda m, x: x / torch.norm(x),
}
IMAGES: dict[str, tuple[Function, tuple[int, ...]]] = {
    "group_norm": (lambda m, x: F.gelu(F.group_norm(x, 8, m.scale, m.shift)), (16, 64, 33, 35)),
    "group_norm of few rows": (lambda m, x: F.group_norm(F.gelu(x), 1, m.scale, m.shift), (4, 64, 130, 131)),
    "instance_norm": (lambda m, x: F.instance_norm(x) * x, (16, 64, 33, 35)),
    "rms norm": (lambda m, x: x / torch.sqrt((x**2).mean(1, keepdim=True) + 1e-5), (16, 64, 64, 65)),
    "softmax": (lambda m, x: torch.sigmoid(x.softmax(1)), (16, 64, 64, 65)),
    "amax of many": (lambda m, x: x.amax(1) + 1.0, (4, 1000, 33, 35)),
    "sum of many, few beside": (lambda m, x: x.sum(1), (2, 500_000, 3)),
    "mean over several axes": (lambda m, x: x.mean((2, 3), keepdim=True) + 1.0, (64, 64, 33, 35)),
}
SCANS: dict[str, Function] = {
    "sums": lambda m, x: x.cumsum(1),
    "products": lambda m, x: (1.0 + x * 1e-3).cumprod(1),
    "backwards": lambda m, x: x.flip(1).cumsum(1).flip(1),
    "exclusive": lambda m, x: torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1].cumsum(1)), 1),
    "masked": lambda m, x: (x * (x > 0.0)).cumsum(1),
}


def check(function: Function, shape: tuple[int, ...], folder: Path) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(shape, device="cuda")]
    module, model = made(function, inputs, folder)
    with torch.no_grad():
        eager, answer = module(*inputs), model(*inputs)
        exact = copy.deepcopy(module).double()(*(x.double() for x in inputs))
    assert answer.shape == eager.shape
    assert error(answer, exact) <= max(2 * error(eager, exact), torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows(name: str, rows: str, tmp_path: Path) -> None:
    check(FUNCTIONS[name], ROWS[rows], tmp_path)


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str, tmp_path: Path) -> None:
    check(*IMAGES[name], tmp_path)


@pytest.mark.parametrize("shape", [(300, 32768), (300, 5001), (40_000, 33)])
@pytest.mark.parametrize("name", SCANS)
def test_scans(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    check(SCANS[name], shape, tmp_path)


SPECIAL = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("shape", [(2048, 1024), (3, 1_000_003)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "amax", "amin", "layer_norm"])
def test_what_is_not_finite_is_as_eager_has_it(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, device="cuda")
    for row, value in enumerate(SPECIAL[: shape[0]]):
        x[row, 1 + row * 300] = value
    if shape[0] > 3:
        x[3] = float("-inf")
    module, model = made(FUNCTIONS[name], [x], tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(model(x), module(x), rtol=1e-4, atol=1e-5, equal_nan=True)
