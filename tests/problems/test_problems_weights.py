"""Constants become random, everything else stays."""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kernelwright.problems.weights import randomise_constants


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.linear = nn.Linear(6, 6)
        self.shift = nn.Parameter(torch.full((6,), -3.0))
        self.coarse = nn.Parameter(torch.ones(6, dtype=torch.bfloat16))
        self.empty = nn.Parameter(torch.zeros(0))
        self.tied = self.shift
        self.register_buffer("count", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("mask", torch.ones(6, dtype=torch.bool))
        self.register_buffer("scratch", torch.zeros(6), persistent=False)
        self.register_buffer("expanded", torch.ones(1).expand(6))
        self.register_buffer("never", torch.full((6,), float("-inf")))
        self.register_buffer("undefined", torch.full((6,), float("nan")))


CHANGED = ("shift", "coarse", "norm.weight", "norm.bias", "expanded", "norm.running_mean", "norm.running_var")


@given(st.integers(0, 2**63))
def test_every_constant_changes_and_nothing_else(seed: int) -> None:
    module = Mixed()
    before = {name: tensor.clone() for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
    names = randomise_constants(module, seed)
    assert sorted(names) == sorted(CHANGED)
    after = dict([*module.named_parameters(), *module.named_buffers()])
    for name, old in before.items():
        new = after[name]
        if name in names:
            assert float(new.detach().float().std()) > 0.001, name
        else:
            assert torch.equal(new.nan_to_num(), old.nan_to_num()), name
    assert bool((module.norm.running_var > 0).all())
    assert bool((module.shift < -1).all())
    assert 0.5 <= module.coarse.min().item() <= module.coarse.max().item() <= 1.5
    assert module.norm.bias.abs().max().item() < 1.0
    assert module.tied is module.shift
    assert module.shift.requires_grad


def test_the_same_seed_gives_the_same_values_whatever_else_is_there() -> None:
    one, two, other = Mixed(), Mixed(), Mixed()
    two.aaa = nn.Parameter(torch.zeros(3))
    state = torch.get_rng_state()
    randomise_constants(one, 5)
    randomise_constants(two, 5)
    randomise_constants(other, 6)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.norm.weight, two.norm.weight)
    assert not torch.equal(one.norm.weight, other.norm.weight)
    assert not torch.equal(one.norm.weight, one.norm.running_var), "two ones must not become the same values"


def test_a_second_time_changes_nothing() -> None:
    module = Mixed()
    randomise_constants(module, 1)
    state = copy.deepcopy(module.state_dict())
    assert randomise_constants(module, 2) == ()
    assert all(torch.equal(v.nan_to_num(), state[k].nan_to_num()) for k, v in module.state_dict().items())


@pytest.mark.parametrize("make", [lambda: nn.LazyLinear(3), lambda: nn.Linear(2, 2, device="meta"), nn.Identity])
def test_modules_without_values_are_left_alone(make: Callable[[], nn.Module]) -> None:
    assert randomise_constants(make(), 0) == ()
