"""Recurrent layers are captured without going through their steps, and come out as they are."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sketches import build
from torch import nn
from torch._decomp import decompositions
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from kernelwright import problems
from kernelwright.authors.graph.capture import capture, capture_problem
from kernelwright.authors.graph.printer import print_module
from kernelwright.authors.graph.recurrent_shapes import LAYERS, one_step_a_layer

STEPS = 40
MODULES = {
    "lstm": lambda: nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True),
    "gru": lambda: nn.GRU(5, 6, num_layers=2, batch_first=True),
    "rnn": lambda: nn.RNN(5, 6, nonlinearity="relu", batch_first=True),
}


class Wrapped(nn.Module):
    """Double: for float32 on a CPU torch has a shorter way for LSTMs of its own."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer.double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0][:, -1]


@pytest.mark.parametrize("name", MODULES)
def test_recurrent_layers_are_captured_in_one_step_each(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    module, x = Wrapped(MODULES[name]()).eval(), torch.randn(3, STEPS, 5, dtype=torch.float64)
    steps: list[int] = []

    def counted(known: Callable[..., Any]) -> Callable[..., Any]:
        def layer(inputs: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            steps.append(inputs.shape[0])
            return known(inputs, *args, **kwargs)

        return layer

    for layer in LAYERS:
        monkeypatch.setattr(decompositions, layer, counted(getattr(decompositions, layer)))
    before = [getattr(decompositions, layer) for layer in LAYERS]
    captured = capture_problem(problems.from_module(module, (x,)))
    assert steps and set(steps) == {1}
    assert [getattr(decompositions, layer) for layer in LAYERS] == before
    assert captured.graph == capture(module, [x]).graph and STEPS in steps
    made = build(print_module(captured, doc=["A test."]))
    made.load_state_dict(module.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(made(x), module(x))


def test_where_steps_are_recorded_all_of_them_are() -> None:
    module = Wrapped(nn.GRU(5, 6, batch_first=True)).eval()
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.randn(3, STEPS, 5, dtype=torch.float64)
    table = torch._decomp.get_decompositions([torch.ops.aten.gru.input])
    with one_step_a_layer(), torch.no_grad():
        graph = make_fx(module, decomposition_table=table, tracing_mode="fake")(x).graph
    assert len(graph.nodes) > 5 * STEPS
