"""Floors under a candidate's time, and what the reference's bytes and FLOPs are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from kernelwright.judge.limits import (
    DependentBytes,
    ProblemCosts,
    byte_floor_ms,
    count_flops,
    dependent_bytes,
    hard_floor_ms,
    impossible,
    limits,
    measure_costs,
    shuffled,
    work_floor_ms,
)
from kernelwright.schema import DeviceLimits

DEVICE = DeviceLimits(bandwidth=1e9, peak_bandwidth=4e9, matmul_flops={"float32": 1e10}, launch_seconds=1e-6)
COSTS = ProblemCosts(
    input_bytes=1_000_000,
    weight_bytes=500_000,
    output_bytes=500_000,
    certain_bytes=1_000_000,
    flops=10**8,
    dtype="float32",
)


class Does(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.does = forward

    def forward(self, *inputs):
        return self.does(*inputs)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_floors_in_milliseconds():
    assert byte_floor_ms(COSTS, DEVICE) == pytest.approx(2.0)
    assert work_floor_ms(COSTS, DEVICE) == pytest.approx(10.0)
    assert hard_floor_ms(COSTS, DEVICE) == pytest.approx(0.2)
    assert work_floor_ms(ProblemCosts(0, 0, 0, 0, 10**8, "float8_e4m3fn"), DEVICE) == 0.0


def test_only_a_time_below_what_must_be_moved_is_impossible():
    assert impossible(0.19, COSTS, DEVICE)
    assert not impossible(0.21, COSTS, DEVICE)
    assert not impossible(1e-9, ProblemCosts(10**9, 10**9, 0, 0, 10**12, "float32"), DEVICE)


def test_less_work_is_a_label_and_shares_are_not_clamped():
    honest = limits(COSTS, DEVICE, 20.0)
    assert (honest.byte_share, honest.work_share, honest.less_work) == (pytest.approx(0.1), pytest.approx(0.5), False)
    algebra = limits(COSTS, DEVICE, 5.0)
    assert (algebra.work_share, algebra.less_work) == (pytest.approx(2.0), True)
    memory_only = COSTS.__class__(**{**COSTS.__dict__, "flops": 0})
    assert not limits(memory_only, DEVICE, 1.7).less_work
    cached = limits(memory_only, DEVICE, 1.0)
    assert (cached.byte_share, cached.work_share, cached.less_work) == (pytest.approx(2.0), None, True)
    untimed = limits(COSTS, DEVICE)
    assert (untimed.byte_share, untimed.work_share, untimed.less_work, untimed.bytes_moved) == (
        None,
        None,
        False,
        2_000_000,
    )


def test_flops_of_a_product_and_of_what_cannot_run():
    assert count_flops(Does(torch.matmul), (rand(8, 16), rand(16, 4))) == 2 * 8 * 16 * 4
    assert count_flops(Does(torch.relu), (rand(8),)) == 0
    assert count_flops(Does(torch.matmul), (rand(8, 16), rand(3, 4))) == 0


@pytest.mark.parametrize(
    ("name", "module", "inputs", "expected"),
    [
        ("product", Does(torch.matmul), (rand(32, 64), rand(64, 16)), DependentBytes(12288, 0, 2048, 14336)),
        ("linear", nn.Linear(64, 32), (rand(16, 64),), DependentBytes(4096, 8320, 2048, 6144)),
        ("unused input", Does(lambda x, y: 2 * x), (rand(8), rand(8)), DependentBytes(32, 0, 32, 64)),
        ("part of an input", Does(lambda x: 2 * x[0]), (rand(16, 64),), DependentBytes(256, 0, 256, 512)),
        ("gathered table", Does(lambda t, i: t[i]), (rand(99, 4), torch.tensor([5, 7])), DependentBytes(48, 0, 32, 80)),
        ("integers", Does(torch.sum), (torch.arange(64),), DependentBytes(512, 0, 8, 520)),
        ("view", Does(lambda x: x.view(-1)), (rand(4, 4),), DependentBytes(64, 0, 0, 0)),
        ("constant", Does(torch.ones_like), (rand(4, 4),), DependentBytes(0, 0, 64, 4)),
        ("repeated output", Does(lambda x: x.sum() * torch.ones(9)), (rand(6),), DependentBytes(24, 0, 36, 28)),
        ("expanded input", Does(lambda x: x + 1), (rand(1, 8).expand(4, 8),), DependentBytes(32, 0, 128, 64)),
        ("not differentiable", Does(lambda x: x.argmax(1)), (rand(16, 64),), DependentBytes(4096, 0, 128, 128)),
        ("raises", Does(lambda x: x @ x), (rand(2, 3),), DependentBytes(0, 0, 0, 0)),
    ],
)
def test_bytes_that_outputs_depend_on(name, module, inputs, expected):
    assert dependent_bytes(module, inputs) == expected


@given(size=st.integers(0, 300), at_once=st.integers(1, 64))
def test_shuffled_values_are_the_same_ones_elsewhere(size, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernelwright.judge.limits._AT_ONCE", at_once)
        found = shuffled(torch.arange(size), 0, size)
    assert sorted(found.tolist()) == list(range(size))
    assert (found == torch.arange(size)).sum() <= 1


@given(start=st.integers(0, 20), stop=st.integers(0, 20))
def test_only_what_is_asked_for_is_shuffled(start, stop):
    x = torch.arange(20).reshape(4, 5).t()
    found = shuffled(x, start, stop).reshape(-1)
    flat = x.reshape(-1)
    assert torch.equal(found[:start], flat[:start])
    assert torch.equal(found[max(start, stop) :], flat[max(start, stop) :])
    assert set(found.tolist()) <= set(range(20))
    bools = shuffled(x > 7, start, stop).reshape(-1)
    assert torch.equal(bools[start:stop], ~(flat > 7)[start:stop])


def test_zero_gradients_of_relu_are_read_but_not_certain():
    x = rand(16, 64) - 0.5
    found = dependent_bytes(Does(F.relu), (x,))
    assert found.inputs == 4096
    assert found.certain == 4096 + 4 * int((x > 0).sum())


def test_rounding_noise_is_no_dependence():
    centred = Does(lambda x: torch.softmax(x.mean(1, keepdim=True), 1))
    assert dependent_bytes(centred, (rand(16, 64),)).inputs == 0


def test_normalisation_statistics_do_not_stop_the_gradients():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sigmoid()).eval()
    found = dependent_bytes(model, (rand(2, 3, 8, 8),))
    assert found.inputs == 2 * 3 * 8 * 8 * 4
    assert found.weights >= 4 * (3 * 4 * 9 + 4 * 5)


def test_work_in_place_leaves_the_inputs_alone():
    x = rand(8)
    found = dependent_bytes(nn.ReLU(inplace=True), (x - 0.5,))
    assert found.certain == 0
    kept = x.clone()
    dependent_bytes(Does(lambda y: y.mul_(2) + 1), (x,))
    assert torch.equal(x, kept)


def test_no_memory_for_a_backward_pass_gives_a_smaller_floor(monkeypatch):
    from kernelwright.judge import limits as module

    full = dependent_bytes(Does(torch.tanh), (rand(1000),))
    monkeypatch.setattr(module, "_room", lambda tensors, weights: 10)
    poor = dependent_bytes(Does(torch.tanh), (rand(1000),))
    assert (poor.inputs, poor.outputs) == (full.inputs, full.outputs)
    assert poor.certain < full.certain


def test_costs_of_a_module_and_its_random_state_stays():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    costs = measure_costs(nn.Linear(64, 32).bfloat16(), (rand(16, 64).bfloat16(),))
    assert (costs.flops, costs.dtype, costs.input_bytes) == (2 * 16 * 64 * 32, "bfloat16", 2048)
    torch.random.set_rng_state(before)
    measure_costs(Does(torch.relu), (rand(4),))
    assert torch.equal(torch.random.get_rng_state(), before)
