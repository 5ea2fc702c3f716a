"""Templates over windows: depthwise convolutions and pools, on Triton's interpreter in a process of its own."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from compiled_kit import compiled
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import convolutions, depthwise, pooling, windows
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.windows import OUTPUTS, Windows

Answers = dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
SCRIPT = """
import sys, torch
sys.path.insert(0, "")
from written import ModelNew
state, inputs = torch.load("given.pt")
model = ModelNew()
model.load_state_dict(state)
with torch.no_grad():
    torch.save(model(*inputs), "answers.pt")
"""


class Layer(nn.Module):
    """A layer with pointwise work in front of it and behind it, with one number for each channel."""

    def __init__(self, layer: nn.Module, channels: int, axes: int, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.layer = layer
        self.shift = nn.Parameter(torch.randn(channels, *(1,) * axes))
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


def after(m: Layer, x: torch.Tensor) -> torch.Tensor:
    return torch.relu(m.layer(x) * 0.5 - m.shift) + 0.25


class Normalised(nn.Module):
    """A batch norm behind a depthwise convolution, and one in front of a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, groups=4)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(4)])
        for norm in self.norms:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.relu(self.norms[0](self.conv(x))), F.max_pool2d(torch.relu(self.norms[1](x)), 2)


def around(m: Layer, x: torch.Tensor) -> torch.Tensor:
    return torch.abs(m.layer((x + m.shift).clamp(-1.0, 1.0))) * m.shift


Case = tuple[Callable[[], nn.Module], tuple[int, ...]]
DEPTHWISE: dict[str, Case] = {
    "1d": (lambda: nn.Conv1d(4, 4, 5, padding=2, groups=4), (1, 4, 1500)),
    "1d, dilated": (lambda: nn.Conv1d(4, 4, 3, stride=2, dilation=3, groups=4, bias=False), (2, 4, 150)),
    "2d": (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4), (1, 4, 40, 70)),
    "2d, small planes": (lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6), (3, 6, 7, 7)),
    "2d, asymmetric": (
        lambda: nn.Conv2d(3, 3, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(2, 1), groups=3),
        (1, 3, 23, 41),
    ),
    "2d, multiplier": (lambda: nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), (2, 3, 21, 19)),
    "3d": (lambda: nn.Conv3d(4, 4, (2, 3, 3), padding=(0, 1, 1), groups=4), (2, 4, 5, 9, 17)),
    "transposed 1d, dilated": (
        lambda: nn.ConvTranspose1d(4, 8, 3, stride=3, padding=1, dilation=2, groups=4, bias=False),
        (2, 4, 50),
    ),
    "transposed 2d": (
        lambda: nn.ConvTranspose2d(4, 4, (4, 3), stride=2, padding=1, output_padding=(0, 1), groups=4),
        (2, 4, 11, 9),
    ),
    "transposed 3d": (lambda: nn.ConvTranspose3d(4, 4, (2, 3, 3), stride=(1, 2, 1), groups=4), (1, 4, 3, 4, 7)),
}
POOLS: dict[str, Case] = {
    "max 1d": (lambda: nn.MaxPool1d(5, stride=2, padding=1, dilation=2), (1, 3, 1300)),
    "max 2d": (lambda: nn.MaxPool2d(3, stride=2, padding=1), (1, 3, 41, 70)),
    "max 2d, over the edge": (lambda: nn.MaxPool2d((3, 2), stride=2, ceil_mode=True), (2, 4, 20, 13)),
    "max 3d": (lambda: nn.MaxPool3d(2, dilation=2), (2, 4, 7, 9, 11)),
    "mean 1d": (lambda: nn.AvgPool1d(8, stride=1, padding=4), (1, 2, 700)),
    "mean 2d": (lambda: nn.AvgPool2d((3, 5)), (1, 4, 30, 44)),
    "mean 2d, padding left out": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 4, 21, 18)),
    "mean 2d, over the edge": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (2, 4, 22, 18)),
    "mean 2d, over the edge, padding left out": (
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        (2, 4, 22, 18),
    ),
    "mean 2d, divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), (2, 4, 22, 18)),
    "mean 3d": (lambda: nn.AvgPool3d(3, stride=2, padding=1), (2, 4, 6, 8, 10)),
}


class Together(nn.Module):
    """Modules side by side, one for each input: what takes long is to trace a module, and to start a process."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        return [part(x) for part, x in zip(self.parts, inputs, strict=True)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Per case what the kernels and eager compute, and the same in float64."""
    torch.manual_seed(0)
    modules, inputs = list[nn.Module](), list[torch.Tensor]()
    for function, group in ((after, DEPTHWISE), (around, POOLS)):
        for make, shape in group.values():
            layer = make()
            modules.append(Layer(layer, getattr(layer, "out_channels", shape[1]), len(shape) - 2, function))
            inputs.append(3.0 * torch.randn(shape))
    module, folder = Together(modules), tmp_path_factory.mktemp("windows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "FEWEST_ELEMENTS", 1)
        captured = capture(module, inputs)
        written = write(Form(captured, captured.graph))
    assert written is not None
    assert written.source.count("_kernel[") == len(modules)
    parts = zip(*answered(folder, module, inputs, written.source), strict=True)
    return dict(zip([*DEPTHWISE, *POOLS], parts, strict=True))


def answered(
    folder: Path, module: nn.Module, inputs: list[torch.Tensor], source: str
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """What the source and eager compute, and the same in float64: in a process of its own, as Triton must know."""
    (folder / "written.py").write_text(source)
    torch.save((module.state_dict(), inputs), folder / "given.pt")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        eager = module(*inputs)
        exact = copy.deepcopy(module).double()(*(x.double() for x in inputs))
    return torch.load(folder / "answers.pt"), eager, exact


@pytest.mark.parametrize("name", [*DEPTHWISE, *POOLS])
def test_windows_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32 and answer.is_contiguous()
    error, allowed = (float((y.double() - exact).norm() / exact.norm()) for y in (answer, eager))
    assert error <= 2 * allowed + torch.finfo(torch.float32).eps / 4


def graph_of(module: nn.Module, *shapes: tuple[int, ...]) -> Graph:
    return capture(module, [torch.randn(shape) for shape in shapes]).graph


class Function(nn.Module):
    """A function of inputs, and a layer."""

    def __init__(self, function: Callable[..., object], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.function = function
        self.layer = layer

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(self, *inputs)


LARGE = (2, 8, 128, 128)


def test_what_others_read_stays_in_front_of_a_pool() -> None:
    def seen(m: Function, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.relu(x) * 2.0
        return F.max_pool2d(y - 1.0, 2), y

    graph = graph_of(Function(seen), LARGE)
    (pool,) = pooling.find(graph)
    assert graph.nodes[pool.before.source].op == "mul" and len(pool.before.lines) == 2
    (pool,) = pooling.find(graph_of(Function(lambda m, x: F.max_pool2d(torch.relu(x) * 2.0, 2)), LARGE))
    assert pool.before.source == 0


def test_transposed_windows_keep_their_sums_in_registers(tmp_path: Path) -> None:
    layer = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=8)
    source, (text,) = compiled(layer, [torch.zeros(2, 8, 64, 64)], [], tmp_path)
    assert "depthwise_1" in source and ".local" not in text
    assert len([line for line in text.splitlines() if "st.global" in line]) <= 8


def test_work_is_not_done_again_for_every_window() -> None:
    graph = graph_of(Function(lambda m, x: F.max_pool2d(torch.tanh(x), 5, stride=1)), LARGE)
    (pool,) = pooling.find(graph)
    assert pool.before.source == graph.nodes[pool.node].args[0] and pool.before.lines == ()


def test_pools_of_pools_and_what_joins_two() -> None:
    def joined(m: Function, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(F.max_pool2d(x, 2))
        return F.max_pool2d(y, 2) + F.avg_pool2d(y, 2)

    graph = graph_of(Function(joined), LARGE)
    found = pooling.find(graph)
    assert [pool.before.lines for pool in found] == [(), (), ()]
    assert len({pool.after.result for pool in found}) == 3
    placed, text = pooling.place(graph, found)
    assert [node.op for node in placed.nodes] == ["input", "call", "call", "call"]
    assert all(f"def pool_{number}(" in text for number in (1, 2, 3))


def test_only_large_float32_windows_are_placed() -> None:
    pool = Function(lambda m, x: F.max_pool2d(x, 2))
    assert pooling.find(graph_of(pool, (1, 2, 16, 16))) == []
    assert pooling.find(capture(pool, [torch.randn(LARGE).half()]).graph) == []
    assert pooling.find(graph_of(Function(lambda m, x: F.max_pool2d(x, 16)), LARGE)) == []
    for layer in (nn.Conv2d(8, 8, 3, groups=2), nn.ConvTranspose2d(8, 8, 3, groups=2), nn.Conv2d(8, 8, 3)):
        assert depthwise.find(graph_of(layer, LARGE)) == []
    layer = nn.Conv2d(8, 16, 3, groups=8)
    graph = graph_of(layer, LARGE)
    (found,) = depthwise.find(graph)
    assert found.multiple == 2 and convolutions.find(graph) == []
    assert depthwise.find(capture(layer.half(), [torch.randn(LARGE).half()]).graph) == []


def test_what_is_behind_another_kernel_is_not_in_front_of_a_pool() -> None:
    """The kernel before takes it along: the author puts depthwise convolutions in first."""
    module = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.MaxPool2d(2))
    captured = capture(module, [torch.randn(LARGE)])
    written = write(Form(captured, captured.graph))
    assert written is not None and "depthwise_1(" in written.source and "pool_1(" in written.source
    assert written.source.count("PropagateNan.ALL") == 2
    assert "torch.relu" not in written.source


@pytest.mark.parametrize("width", [1, 7, 14, 33, 56, 112, 130, 510, 4096])
@pytest.mark.parametrize("height", [1, 7, 28, 112])
def test_tiles_cover_all_outputs_once(width: int, height: int) -> None:
    one = (1, 1, 1)
    seen = Windows(6, 3, (1, height, width), (1, height, width), one, one, (0, 0, 0), one)
    rows, columns = seen.tile
    down, across = seen.grid
    assert rows * columns == OUTPUTS and rows & (rows - 1) == 0
    assert (across - 1) * columns < width <= across * columns
    planes = seen.planes if seen.alone else 1
    per = down // planes
    assert down % planes == 0
    assert (per - 1) * rows < (height if seen.alone else seen.planes * height) <= per * rows


def test_batch_norms_are_scales_where_a_kernel_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, inputs = Normalised().eval(), [torch.randn(2, 4, 24, 24)]
    monkeypatch.setattr(windows, "FEWEST_ELEMENTS", 1)
    captured = capture(module, inputs)
    written = write(Form(captured, captured.graph))
    assert written is not None and "F.batch_norm" not in written.source
    for answer, eager, exact in zip(*answered(tmp_path, module, inputs, written.source), strict=True):
        error, allowed = (float((y.double() - exact).norm() / exact.norm()) for y in (answer, eager))
        assert error <= 2 * allowed + torch.finfo(torch.float32).eps / 4
    elsewhere = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4)).eval()
    captured = capture(elsewhere, inputs)
    written = write(Form(captured, captured.graph))
    assert written is not None and "F.batch_norm" in written.source
