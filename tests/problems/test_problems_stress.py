"""Stress draws: elementwise, repeatable, and kind to structure."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.problems.stress import STRESS_KINDS, stress, structural_zeros

DTYPES = st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16])
KINDS = st.sampled_from(STRESS_KINDS)
VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=16), min_size=1, max_size=40)


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(torch.nan_to_num(a, nan=123.0), torch.nan_to_num(b, nan=123.0))


@given(VALUES, KINDS, DTYPES, st.booleans(), st.randoms(use_true_random=False))
def test_each_value_is_mapped_by_itself(values, kind, dtype, keep, random) -> None:
    x = torch.tensor(values, dtype=dtype)
    before = x.clone()
    kept = frozenset({0}) if keep else frozenset()
    (y,) = stress((x,), kind, keep_zeros=kept)
    assert same(x, before)
    assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
    assert torch.equal(torch.isfinite(y), torch.isfinite(x))
    assert same(y[~torch.isfinite(x)], x[~torch.isfinite(x)])
    assert same(y, stress((x,), kind, keep_zeros=kept)[0])
    places = list(range(len(values)))
    random.shuffle(places)
    assert same(stress((x[places],), kind, keep_zeros=kept)[0], y[places])
    if keep:
        assert bool((y[x == 0] == 0).all())
        assert not torch.signbit(y[x == 0]).any() or kind != "negative"


@given(st.integers(0, 2**32), KINDS)
def test_structure_survives(seed: int, kind: str) -> None:
    g = torch.Generator().manual_seed(seed)

    def draw() -> tuple[torch.Tensor, ...]:
        x = torch.randn(6, 6, generator=g)
        hot = torch.nn.functional.one_hot(torch.randint(0, 10, (5,), generator=g), 10).float()
        return x + x.T, x.tril(), torch.diag(x[0]), hot, x

    draws = [draw() for _ in range(3)]
    kept = structural_zeros(draws)
    assert kept == {1, 2, 3}
    symmetric, lower, diagonal, hot, _ = stress(draws[0], kind, keep_zeros=kept)
    assert torch.equal(symmetric, symmetric.T)
    assert torch.equal(lower, lower.tril())
    assert torch.equal(diagonal, torch.diag(diagonal.diagonal()))
    assert bool(((hot != 0).sum(dim=1) == 1).all())


def test_each_kind_does_what_it_is_for() -> None:
    g = torch.Generator().manual_seed(0)
    uniform, normal = torch.rand(4000, generator=g), torch.randn(4000, generator=g)
    a, number, *rest = stress((normal, 3, *(normal.clone() for _ in range(3))), "scaled")
    assert number == 3
    factors = [(t / normal).median().item() for t in (a, *rest)]
    assert factors == pytest.approx([0.01, 0.25, 0.001, 0.01])
    assert bool((stress((uniform,), "negative")[0] < 0).all())
    assert float((stress((normal,), "negative")[0] < 0).float().mean()) > 0.8
    (tied,) = stress((normal,), "ties")
    assert len(tied.unique()) < 25
    assert 0.05 < float((tied == 0).float().mean()) < 0.5
    (small,) = stress((normal * 1e-6,), "ties")
    assert 5 < len(small.unique()) < 25, "the grid follows the magnitude of the input"
    assert stress((normal,), "large")[0].abs().max() > 1000
    assert stress((normal.half(),), "large")[0].abs().max() < 1000


def test_only_floating_tensors_change() -> None:
    inputs = (torch.arange(3), torch.tensor([True, False]), 2.5, None, [torch.ones(2, dtype=torch.complex64), "s"])
    for kind in STRESS_KINDS:
        changed = stress(inputs, kind)
        assert changed[0] is inputs[0]
        assert changed[1] is inputs[1]
        assert changed[2:4] == (2.5, None)
        assert changed[4][0] is inputs[4][0]


def test_nests_shared_tensors_and_eight_bits() -> None:
    x = torch.tensor([0.5, -2.0, 0.0])
    tiny = x.to(torch.float8_e4m3fn)
    for kind in STRESS_KINDS:
        left, nest = stress((x, {"again": [x], "tiny": tiny}), kind)
        assert nest["again"][0] is left
        assert nest["tiny"].dtype == torch.float8_e4m3fn
        assert bool(torch.isfinite(nest["tiny"].float()).all())


def test_extreme_values_stay_finite() -> None:
    x = torch.tensor([3e38, -3e38, 1e-38, 0.0])
    for kind in STRESS_KINDS:
        assert bool(torch.isfinite(stress((x,), kind)[0]).all())
    empty = torch.zeros(0, 4)
    assert [stress((empty,), kind)[0].shape for kind in STRESS_KINDS] == [empty.shape] * 4


def test_zeros_that_are_no_structure() -> None:
    def draw(seed: int) -> tuple[torch.Tensor, ...]:
        x = torch.rand(1000, generator=torch.Generator().manual_seed(seed))
        stray = x.clone()
        stray[seed] = 0.0
        return torch.zeros(5), stray, torch.arange(4), torch.zeros(0)

    assert structural_zeros([draw(1), draw(2)]) == frozenset()
    padded = [(torch.cat([torch.rand(500), torch.zeros(1)]),) for _ in range(2)]
    assert structural_zeros(padded) == {0}


def test_misuse_is_named() -> None:
    with pytest.raises(ValueError, match="no stress kind 'huge': there are scaled, negative, ties, large"):
        stress((torch.ones(1),), "huge")
    with pytest.raises(ValueError, match="at least two draws"):
        structural_zeros([(torch.ones(1),)])


def test_the_cheats_come_out() -> None:
    g = torch.Generator().manual_seed(1)
    x = torch.rand(64, 64, generator=g)
    (negative,) = stress((x,), "negative")
    assert torch.equal(x, x.relu())
    assert not torch.allclose(negative, negative.relu())
    (large,) = stress((torch.randn(8, 64, generator=g),), "large")
    naive = large.exp() / large.exp().sum(dim=1, keepdim=True)
    assert not bool(torch.isfinite(naive).all())
    near_zero = torch.linspace(-0.5, 0.5, 4001)
    line = (0.5 + near_zero / 4).clamp(0, 1)
    assert torch.allclose(line, torch.sigmoid(near_zero), atol=1e-2)
    (stretched,) = stress((near_zero,), "large")
    assert not torch.allclose((0.5 + stretched / 4).clamp(0, 1), torch.sigmoid(stretched), atol=1e-2)
    (scaled,) = stress((torch.randn(8, 64, generator=g),), "scaled")
    norms = [torch.nn.functional.layer_norm(scaled, (64,), eps=eps) for eps in (1e-5, 0.0)]
    assert float((norms[0] - norms[1]).abs().max()) > 0.01
    (tied,) = stress((torch.randn(4, 4096, generator=g),), "ties")
    first = tied.argmax(dim=1)
    last = 4095 - tied.flip(1).argmax(dim=1)
    assert bool((first != last).any())
