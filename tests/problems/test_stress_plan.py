"""Which stress draws a module gets, and what the kinds for some operators do to an input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from kernelwright.judge.worker.provenance import operators
from kernelwright.problems.stress import CLASS_KINDS, STRESS_KINDS, stress
from kernelwright.problems.stress_plan import MOST_KINDS, stress_kinds

DTYPES = st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16])
SHAPES = st.sampled_from([(), (1,), (40,), (7, 9), (2, 3, 1, 5), (0, 4)])
SEEDS = st.integers(0, 2**31)
X, W = torch.randn(8, 16), torch.randn(16, 16)

BASIC = ("scaled", "negative", "large")
CASES = {
    "product": (lambda x: x @ W, BASIC),
    "linear, group norm, SiLU": (nn.Sequential(nn.Linear(16, 16), nn.GroupNorm(4, 16), nn.SiLU()).eval(), BASIC),
    "linear, ReLU": (nn.Sequential(nn.Linear(16, 16), nn.ReLU()), (*BASIC, "ties")),
    "ReLU": (F.relu, (*BASIC, "ties")),
    "division": (lambda x: 1 / x, (*BASIC, "ties")),
    "GELU": (F.gelu, (*BASIC, "tail")),
    "sigmoid in place": (lambda x: x.clone().sigmoid_(), (*BASIC, "tail")),
    "softmax": (lambda x: torch.softmax(x, 1), (*BASIC, "spread")),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), (*BASIC, "spread")),
    "layer norm": (lambda x: F.layer_norm(x, (16,)), (*BASIC, "ascending")),
    "mean": (lambda x: x.mean(1), (*BASIC, "ascending")),
    "argmax": (lambda x: x.argmax(1), ("negative", "ties", "tail", "ascending")),
    "max pooling": (lambda x: F.max_pool2d(x[None], 2), ("negative", "ties", "tail", "ascending")),
    "softmax of chosen values": (lambda x: torch.softmax(torch.where(x > 0, x, -x), 1), (*BASIC, "ties", "spread")),
}


@pytest.mark.parametrize("name", CASES)
def test_kinds_follow_the_operators(name: str):
    module, expected = CASES[name]
    assert stress_kinds(frozenset(op.rpartition(".")[0] for op in operators(module, (X,)))) == expected


def test_what_is_not_known_gets_the_basic_kinds():
    assert stress_kinds(frozenset()) == STRESS_KINDS
    assert set(stress_kinds(frozenset({"mylib.my_kernel"}))) == set(STRESS_KINDS)


@given(st.sets(st.sampled_from([f"aten.{op}" for op in ("mm", "relu", "gelu", "_softmax", "mean", "amax", "add_")])))
def test_no_kind_comes_twice_and_few_come_at_all(names: set[str]):
    kinds = stress_kinds(frozenset(names))
    assert len(set(kinds)) == len(kinds) <= MOST_KINDS + 1
    assert set(kinds) <= {*STRESS_KINDS, *CLASS_KINDS}


@given(SEEDS, SHAPES, DTYPES, st.sampled_from(CLASS_KINDS))
def test_kinds_keep_shape_dtype_and_finiteness(seed: int, shape: tuple[int, ...], dtype: torch.dtype, kind: str):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    before = x.clone()
    (y,) = stress((x,), kind)
    assert torch.equal(x, before)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert bool(torch.isfinite(y).all())


@given(SEEDS, st.sampled_from([1e-12, 1e-3, 1.0, 1e15]))
def test_spread_and_tail_do_not_depend_on_scale(seed: int, scale: float):
    x = torch.randn(500, generator=torch.Generator().manual_seed(seed)) * scale
    (far,), (foot,) = stress((x,), "spread"), stress((x,), "tail")
    assert 2.5 < float(far.square().mean().sqrt()) < 6
    assert bool((foot <= -3).all()) and float(foot.min()) > -12


@given(SEEDS, st.sampled_from([(30,), (6, 7), (3, 4, 5)]))
def test_ascending_moves_values_and_makes_none(seed: int, shape: tuple[int, ...]):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    (y,) = stress((x,), "ascending")
    assert torch.equal(y.flatten().sort().values, x.flatten().sort().values)
    assert all(bool((y.diff(dim=axis) >= 0).all()) for axis in range(x.dim()))


def test_structural_zeros_stay():
    triangle = torch.randn(6, 6).tril()
    for kind in CLASS_KINDS:
        (y,) = stress((triangle,), kind, keep_zeros=frozenset({0}))
        assert torch.equal(y == 0, triangle == 0), kind
