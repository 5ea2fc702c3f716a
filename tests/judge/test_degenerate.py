"""Labels for problems that are odd in themselves."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kernelwright.judge import degenerate
from kernelwright.judge.degenerate import degenerate_labels


class Does(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.does = forward
        self.runs = 0

    def forward(self, *inputs):
        self.runs += 1
        return self.does(*inputs)


def labels(module, *makers):
    def draw(seed):
        g = torch.Generator().manual_seed(seed)
        return tuple(make(g) if callable(make) else make for make in makers)

    return degenerate_labels(module, draw, (1, 2))


def rand(*shape):
    return lambda g: torch.rand(*shape, generator=g)


def randn(*shape):
    return lambda g: torch.randn(*shape, generator=g)


def ints(*shape):
    return lambda g: torch.randint(0, 9, shape, generator=g)


@pytest.mark.parametrize(
    ("forward", "makers", "expected"),
    [
        (torch.matmul, (rand(4, 8), rand(8, 3)), ()),
        (F.relu, (randn(8, 8),), ()),
        (F.relu, (rand(8, 8),), ("removable:aten.relu",)),
        (lambda x: F.relu_(x * 2), (rand(8, 8),), ("removable:aten.relu",)),
        (lambda x: F.relu_(x * 2), (randn(8, 8),), ()),
        (F.hardtanh, (rand(8, 8),), ("removable:aten.hardtanh",)),
        (lambda x: x.clone().contiguous().view(-1).to(torch.float32), (rand(8, 8),), ()),
        (lambda x: 2 * x + 0 * torch.ones(8), (randn(8),), ("removable:aten.add",)),
        (torch.ones_like, (randn(8),), ("constant_output", "ignores_input:0")),
        (lambda x, y: 2 * x, (randn(8), randn(8)), ("ignores_input:1",)),
        (lambda x, y: y, (ints(8), randn(8)), ("ignores_input:0",)),
        (lambda x, y, z: x * z, (randn(8), randn(8), randn(8)), ("ignores_input:1",)),
        (lambda x, s: x * s, (randn(8), 3.0), ()),
        (lambda x, y: x * float(y.max()), (randn(8), randn(8)), ()),
        (lambda x, k: x[k], (randn(9), ints(4)), ()),
        (
            lambda x, y: x + torch.softmax(y.sum(1, keepdim=True), 1),
            (randn(4, 8), randn(4, 8)),
            ("ignores_input:1", "constant_intermediate:aten._softmax"),
        ),
    ],
)
def test_labels(forward, makers, expected):
    assert labels(Does(forward), *makers) == expected


def test_softmax_over_one_column_is_constant():
    found = labels(Does(lambda x: torch.softmax(x.sum(1, keepdim=True), 1)), randn(4, 8))
    assert found == ("constant_output", "ignores_input:0", "constant_intermediate:aten._softmax")


def test_a_constant_up_to_rounding_is_constant():
    found = labels(Does(lambda x: torch.softmax(x, 1).sum(1)), randn(64, 80))
    assert "constant_output" in found


def test_an_operator_that_only_sometimes_does_nothing_stays():
    def sometimes(g):
        x = torch.rand(8, generator=g)
        return x if g.initial_seed() == 1 else -x

    assert labels(Does(F.relu), sometimes) == ()


def test_weights_and_dropout_in_eval_mode_say_nothing():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.LayerNorm(8)).eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.rand(8, 8))
    weight_only = Does(lambda x: model(x) + F.relu(model[0].weight.abs()))
    assert labels(weight_only, randn(8, 8)) == ()


def test_writing_into_memory_is_followed():
    def forward(x, y):
        out = torch.zeros(8)
        out[:4] = y[:4]
        out[4:] = x[4:]
        return out

    assert labels(Does(forward), randn(8), randn(8)) == ()


@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_at_most_three_passes(inputs):
    module = Does(lambda *xs: sum(xs))
    labels(module, *[randn(8)] * inputs)
    assert module.runs <= 3


def test_large_tensors_are_left_alone(monkeypatch):
    monkeypatch.setattr(degenerate, "LARGEST_CHECKED", 100)
    assert labels(Does(F.relu), rand(8, 8)) == ()


def test_nested_and_integer_outputs():
    module = Does(lambda x: {"index": x.argmax(1), "rest": (x, None, 3)})
    assert labels(module, randn(8, 8)) == ()
    constant = Does(lambda x: {"index": torch.zeros(3, dtype=torch.int64), "rest": (None, 3)})
    assert labels(constant, randn(8, 8)) == ("constant_output", "ignores_input:0")


def test_labels_of_a_loaded_problem():
    from kernelwright import problems

    problem = problems.from_module(nn.Sequential(nn.ReLU(), nn.Linear(4, 2)), (torch.rand(3, 4),), "small")
    loaded = problems.load(problem)
    found = degenerate.problem_labels(loaded, loaded.build(0), [11, 12, 13], "cpu")
    assert "constant_output" not in found
    assert degenerate.problem_labels(loaded, loaded.build(0), [11], "cpu") == found
