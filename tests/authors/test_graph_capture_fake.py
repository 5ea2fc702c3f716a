"""A Problem is captured from shapes alone, and with values where its own code looks at some."""

import pytest
import torch
from sketches import build

from kernelwright.authors import AuthorError
from kernelwright.authors.graph.capture import capture_problem
from kernelwright.authors.graph.ir import TensorType
from kernelwright.authors.graph.printer import print_module
from kernelwright.problems import load
from kernelwright.schema import Problem

HUGE = """
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features)
        self.norm = nn.BatchNorm1d(features)
    def forward(self, x):
        return self.norm(self.linear(x)).relu()
def get_inputs():
    return [torch.rand(1 << 22, 1 << 20)]
def get_init_inputs():
    return [1 << 20]
"""

VALUES = """
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rates = [r.item() for r in torch.linspace(0.25, 1.0, 4)]
        self.register_buffer("mask", torch.ones(4, 4).tril(), persistent=False)
        self.offset = torch.tensor([1.0, 2.0, 3.0, 5.0])
        self.linear = nn.Linear(4, 4)
    def forward(self, x, gain):
        return self.linear(x @ self.mask) * self.rates[1] * gain + self.offset - torch.tensor([4.0, 0.0, 1.0, 2.0])
def get_inputs():
    return [torch.rand(3, 4), 0.5]
"""

DRAWN = """
import torch
from torch import nn
class Model(nn.Module):
    def forward(self, x, k):
        return x.topk(k, dim=1).values
def get_inputs():
    return [torch.rand(3, 9), int(torch.randint(1, 2, (1,)).item())]
"""


def problem(source: str) -> Problem:
    return Problem(name="drawn", format="kernelbench", source=source)


def test_terabytes_are_captured_without_being_drawn() -> None:
    before = torch.get_rng_state()
    captured = capture_problem(problem(HUGE))
    shapes = {n.type.shape for n in captured.graph.nodes if n.op in ("input", "weight") and type(n.type) is TensorType}
    assert shapes == {(1 << 22, 1 << 20), (1 << 20, 1 << 20), (1 << 20,), ()}
    assert "nn.Linear(1048576, 1048576)" in print_module(captured, doc=["A test."])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("source", [VALUES, DRAWN], ids=["constants", "drawn number"])
def test_code_that_looks_at_values_gets_them(source: str) -> None:
    loaded = load(problem(source))
    reference, inputs = loaded.build(3), loaded.draw(3)
    printed = build(print_module(capture_problem(problem(source)), doc=["A test."], fold=True))
    printed.load_state_dict(reference.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(printed(*inputs), reference(*inputs))


def test_a_number_that_changes_from_draw_to_draw_is_refused() -> None:
    changing = DRAWN.replace("torch.randint(1, 2, (1,))", "torch.randint(1, 9, (1,))")
    with pytest.raises(AuthorError, match="changes from draw to draw"):
        capture_problem(problem(changing))


def test_code_that_no_graph_can_hold_is_refused_with_its_reason() -> None:
    branching = VALUES.replace("return self.linear", "gain = gain if x.sum() > 0 else 2.0\n        return self.linear")
    with pytest.raises(AuthorError, match=r"torch\.export cannot capture the module"):
        capture_problem(problem(branching))
