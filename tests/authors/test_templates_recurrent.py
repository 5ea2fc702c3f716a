"""Recurrent layers in one launch, on Triton's interpreter: programs run one after the other there.

So one program has all hidden units where there is more than one step, and a launch of several has one step only. What
libdevice computes on a GPU is computed in float64 here.
"""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import recurrent
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.recurrent import MOST_PROGRAMS, MOST_REGISTERS, Layer
from kernelwright.authors.templates.unrolled import loops, rolled

Answer = list[torch.Tensor]
STAND_IN = """
import triton
import triton.language as tl

@triton.jit
def exp(x):
    return tl.exp(x.to(tl.float64)).to(tl.float32)

@triton.jit
def tanh(x):
    return (1.0 - 2.0 / (tl.exp(2.0 * x.to(tl.float64)) + 1.0)).to(tl.float32)
"""
SCRIPT = """
import importlib, sys, torch
sys.path.insert(0, "")
answers = []
for number, (state, inputs) in enumerate(torch.load("given.pt")):
    model = importlib.import_module(f"case_{number}").ModelNew()
    model.load_state_dict(state)
    with torch.no_grad():
        answers.append(model(inputs))
torch.save(answers, "answers.pt")
"""


class Recurrent(nn.Module):
    """A recurrent layer with everything it returns, or its output alone."""

    def __init__(self, layer: nn.RNNBase, everything: bool = True) -> None:
        super().__init__()
        self.layer = layer
        self.everything = everything

    def forward(self, x: torch.Tensor, *start: torch.Tensor) -> Answer:
        out, last = self.layer(x, start if len(start) > 1 else start[0] if start else None)
        lasts = list(last) if isinstance(last, tuple) else [last]
        return [out, *lasts] if self.everything else [out[-1] * 2.0]


class Looped(nn.Module):
    """A plain recurrent layer written as a loop."""

    def __init__(self, activation: str, reversed_order: bool = False) -> None:
        super().__init__()
        self.step = nn.Linear(6 + 12, 12)
        self.head = nn.Linear(12, 5)
        self.activation = getattr(torch, activation)
        self.reversed_order = reversed_order

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> Answer:
        heads, states = list[torch.Tensor](), list[torch.Tensor]()
        for time in range(len(x)):
            part = x[len(x) - 1 - time if self.reversed_order else time]
            state = self.activation(self.step(torch.cat((part, state), dim=1)))
            heads.append(self.head(state))
            states.append(state)
        return [torch.stack(heads), torch.stack(states), states[1] + 1.0]


def case(layer: nn.RNNBase, steps: int, images: int, started: bool = True, everything: bool = True):
    """A module and its inputs: ``started``, initial states are inputs."""
    shape = (images, steps) if layer.batch_first else (steps, images)
    first = (layer.num_layers * (2 if layer.bidirectional else 1), images, layer.hidden_size)
    starts = (2 if isinstance(layer, nn.LSTM) else 1) if started else 0
    return Recurrent(layer, everything), [torch.randn(*shape, layer.input_size), *torch.randn(starts, *first)]


def cases() -> dict[str, tuple[nn.Module, list[torch.Tensor]]]:
    torch.manual_seed(0)
    return {
        "lstm": case(nn.LSTM(6, 12), 5, 3),
        "lstm, both directions": case(nn.LSTM(6, 12, num_layers=2, bidirectional=True), 3, 2),
        "lstm, no biases, from zero, images first": case(
            nn.LSTM(6, 12, num_layers=2, bias=False, batch_first=True), 3, 2, started=False
        ),
        "lstm, several programs": case(nn.LSTM(6, 12), 1, 3),
        "gru": case(nn.GRU(6, 12), 5, 3, everything=False),
        "gru, both directions, images first": case(nn.GRU(6, 12, bidirectional=True, batch_first=True), 3, 2),
        "gru, no biases, several programs": case(nn.GRU(6, 12, bias=False), 1, 2),
        "tanh": case(nn.RNN(6, 12), 5, 6),
        "a loop": (Looped("tanh"), [torch.randn(4, 2, 6), torch.randn(2, 12)]),
        "a loop of relu": (Looped("relu"), [torch.randn(3, 2, 6), torch.randn(2, 12)]),
        "relu, both directions": case(nn.RNN(6, 12, nonlinearity="relu", bidirectional=True), 4, 2),
    }


NAMES = list(cases())


class Together(nn.Module):
    """Modules side by side, each with its own inputs: what takes long is to trace a module, and to start a process."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)

    def forward(self, given: list[list[torch.Tensor]]) -> list[Answer]:
        return [part(*inputs) for part, inputs in zip(self.parts, given, strict=True)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Answer, Answer, Answer]]:
    """Per case what the kernels and eager compute, and the same in float64."""
    folder = tmp_path_factory.mktemp("recurrent")
    (folder / "stand_in.py").write_text(STAND_IN)
    made, known = list[dict[str, tuple[Answer, Answer]]](), list[tuple[object, ...]]()
    for number, several in enumerate((False, True)):
        chosen = {name: case for name, case in cases().items() if several == ("several" in name)}
        module, inputs = Together([m for m, _ in chosen.values()]), [given for _, given in chosen.values()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recurrent, "FEWEST_STEPS", 1)
            if not several:  # one program has all units
                patch.setattr(recurrent, "FEWEST_UNITS", 16)
            captured = capture(module, [inputs])
            written = write(Form(captured, captured.graph))
        assert written is not None and "torch.lstm" not in written.source and "torch.gru" not in written.source
        source = written.source.replace("from triton.language.extra import libdevice", "import stand_in as libdevice")
        source = source.replace("launch_cooperative_grid=True,", "")  # the interpreter takes no such option
        assert len(source) < len(written.source) - 2 * len("launch_cooperative_grid=True,")
        (folder / f"case_{number}.py").write_text(source)
        with torch.no_grad():
            eager = module(inputs)
            wide = [[x.double() for x in given] for given in inputs]
            exact = copy.deepcopy(module).double()(wide)
        made.append(dict(zip(chosen, zip(eager, exact, strict=True), strict=True)))
        known.append((module.state_dict(), inputs))
    torch.save(known, folder / "given.pt")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = torch.load(folder / "answers.pt")
    return {
        name: (answer, *right)
        for part, answers in zip(made, found, strict=True)
        for (name, right), answer in zip(part.items(), answers, strict=True)
    }


@pytest.mark.parametrize("name", NAMES)
def test_recurrences_are_as_exact_as_eager(name: str, answers: dict[str, tuple[Answer, Answer, Answer]]) -> None:
    for answer, eager, exact in zip(*answers[name], strict=True):
        assert answer.shape == eager.shape and answer.dtype is torch.float32
        error, allowed = (float((y.double() - exact).norm() / exact.norm()) for y in (answer, eager))
        assert error <= 2 * allowed + torch.finfo(torch.float32).eps / 4


@pytest.mark.parametrize(
    ("layer", "steps", "images"),
    [
        (nn.LSTM(8, 16), 8, 4),
        (nn.LSTM(8, 16), 64, 17),
        (nn.LSTM(8, 16, proj_size=4), 64, 4),
        (nn.GRU(8, 1100), 64, 4),
        (nn.LSTM(8, 16).half(), 64, 4),
    ],
    ids=["few steps", "many images", "projections", "many units", "half"],
)
def test_other_recurrences_are_left_alone(layer: nn.RNNBase, steps: int, images: int) -> None:
    x = torch.randn(steps, images, layer.input_size, dtype=layer.weight_ih_l0.dtype)
    assert recurrent.find(capture(Recurrent(layer), [x]).graph) == []


def test_layers_of_one_shape_share_a_kernel_and_a_projection_is_a_product() -> None:
    captured = capture(*case(nn.LSTM(12, 16, num_layers=3), 32, 2))
    graph, text = recurrent.place(captured.graph, recurrent.find(captured.graph))
    assert text.count("lstm_kernel[") == 1 and sum(node.op == "linear" for node in graph.nodes) == 3
    calls = [node for node in graph.nodes if node.attr.get("function") == "lstm_1"]
    assert len(calls) == 3 and not any(node.op == "opaque" for node in graph.nodes)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("hidden", [5, 64, 256, 500, 512, 1024, 2048])
@pytest.mark.parametrize("directions", [1, 2])
def test_programs_hold_all_units_and_run_at_once(kind: str, hidden: int, directions: int) -> None:
    layer = Layer(kind, False, 64, 8, hidden, directions, True)
    assert layer.programs * layer.units >= hidden and layer.programs * directions <= MOST_PROGRAMS
    if layer.warps:
        assert layer.rows * layer.units * layer.inner <= MOST_REGISTERS * 32 * layer.warps
    assert layer.warps or layer.rows * layer.units * layer.inner > MOST_REGISTERS * 32 * 16


def test_a_loop_is_one_operator_and_its_heads_are_one_product() -> None:
    inputs = [torch.randn(20, 2, 6), torch.randn(2, 12)]
    graph = capture(Looped("tanh"), inputs).graph
    placed, text = recurrent.place(rolled(graph), recurrent.find(rolled(graph)))
    assert sum(node.op == "linear" for node in placed.nodes) == 2 and text.count("rnn_kernel[") == 1
    backwards = capture(Looped("tanh", reversed_order=True), inputs).graph
    assert rolled(backwards) == backwards and len(loops(graph)) == 1
