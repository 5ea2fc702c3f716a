"""The accuracy rule: what passes, what does not, and what it may not depend on."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from kernelwright.judge.accuracy import AccuracyRecord, Yardstick, leaves, one_rounding_unit
from kernelwright.judge.reference import server
from kernelwright.judge.yardstick import NOTHING_IN_COMMON
from kernelwright.schema import Accuracy, Precision

shapes = st.sampled_from([(), (1,), (7,), (16, 5), (1000,), (64, 64), (3, 1, 200, 7)])
seeds = st.integers(0, 2**31)
powers = st.integers(-60, 60)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed))


def exact(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """A float64 output, well away from zero in norm."""
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64) + 0.5


def noisy(r: torch.Tensor, size: float, seed: int) -> torch.Tensor:
    """``r`` in float32 with errors of at most ``size`` relative to each value."""
    error = torch.rand(r.shape, generator=generator(seed), dtype=torch.float64).mul_(2).sub_(1)
    return (r * (1 + size * error)).float()


def verdict(candidate: object, eager: object, float64: object, conditioned: object = None, **kw: object) -> str | None:
    """The rule that ``strict`` finds broken, or ``None``."""
    found = Yardstick(eager, float64, conditioned, draw="natural", **kw).compare(candidate).failure(Precision.STRICT)
    return None if found is None else found.rule


def held_against(op, inputs, candidate) -> str | None:
    yardstick = Yardstick(
        op(*inputs),
        op(*(x.double() for x in inputs)),
        op(*(one_rounding_unit(x, k) for k, x in enumerate(inputs))),
    )
    found = yardstick.compare(candidate(*inputs)).failure(Precision.STRICT)
    return None if found is None else str(found)


def bf16(x: torch.Tensor) -> torch.Tensor:
    return x.bfloat16().float()


def tf32(x: torch.Tensor) -> torch.Tensor:
    """Rounds the mantissa to ten bits, as tensor cores do."""
    bits = (x.contiguous().view(torch.int32) + (1 << 12)) & ~((1 << 13) - 1)
    return bits.view(torch.float32)


@given(seeds, shapes, st.floats(0, 6e-7))
@settings(max_examples=60, deadline=None)
def test_errors_of_a_few_rounding_units_pass(seed, shape, size):
    r = exact(seed, shape)
    assert verdict(noisy(r, size, seed + 1), noisy(r, 1.2e-7, seed + 2), r) is None


@given(seeds, shapes, st.floats(1, 1e6))
@settings(max_examples=60, deadline=None)
def test_errors_no_larger_than_eagers_pass_however_large_those_are(seed, shape, factor):
    r = exact(seed, shape)
    eager = noisy(r, 1e-7 * factor, seed + 1)
    candidate = r + (eager.double() - r).flip(0) if r.dim() else 2 * r - eager.double()
    assert verdict(candidate.float(), eager, r) is None


@given(seeds, shapes, st.floats(2.0**-10, 1.0), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_relative_error_of_half_precision_everywhere_fails(seed, shape, size, both_signs):
    r = exact(seed, shape)
    sign = torch.randint(0, 2, r.shape, generator=generator(seed)) * 2.0 - 1.0 if both_signs else 1.0
    assert verdict((r * (1 + size * sign)).float(), r.float(), r) is not None


@given(seeds, shapes, powers)
@settings(max_examples=60, deadline=None)
def test_the_measures_do_not_depend_on_scale(seed, shape, power):
    r = exact(seed, shape)
    candidate, eager, scale = noisy(r, 1e-5, seed + 1), r.float(), 2.0**power
    plain = Yardstick(eager, r).compare(candidate).leaves[0]
    scaled = Yardstick(eager * scale, r * scale).compare(candidate * scale).leaves[0]
    assert scaled.errors == plain.errors
    assert (Precision.STRICT in scaled.failures) == (Precision.STRICT in plain.failures)


@given(seeds, st.integers(1, 3000))
@settings(max_examples=40, deadline=None)
def test_the_measures_do_not_depend_on_order(seed, n):
    r = exact(seed, (n,))
    candidate, eager = noisy(r, 1e-5, seed + 1), noisy(r, 1e-7, seed + 2)
    order = torch.randperm(n, generator=generator(seed))
    plain = Yardstick(eager, r).compare(candidate).leaves[0].errors
    moved = Yardstick(eager[order], r[order]).compare(candidate[order]).leaves[0].errors
    assert moved.lost == plain.lost
    for measure in ("norm", "worst", "small", "peak"):
        assert getattr(moved, measure) == pytest.approx(getattr(plain, measure), rel=1e-9)


@given(seeds, shapes, st.floats(0, 1e-3), st.floats(1, 100))
@settings(max_examples=60, deadline=None)
def test_what_fails_does_not_pass_with_a_larger_error(seed, shape, size, factor):
    r = exact(seed, shape)
    error = torch.randn(r.shape, generator=generator(seed), dtype=torch.float64) * size
    eager = noisy(r, 1e-7, seed + 1)
    yardstick = Yardstick(eager, r)
    near, far = ((r + error * scale).float() for scale in (1.0, factor))
    first, second = (yardstick.compare(x).leaves[0] for x in (near, far))
    assert second.errors.norm >= first.errors.norm * (1 - 1e-3) - 1e-7
    if Precision.STRICT in first.failures and factor > 1.1:
        assert Precision.STRICT in second.failures


@given(seeds, st.sampled_from([torch.nan, torch.inf, -torch.inf]), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_one_value_that_is_not_finite_fails_everywhere(seed, value, stress, where):
    r = exact(seed, (100,))
    candidate = r.float()
    candidate[where] = value
    compared = Yardstick(r.float(), r, stress=stress).compare(candidate)
    assert all(compared.failure(p).rule == "nonfinite" for p in Precision)
    assert compared.failure(Precision.STRICT).index == (where,)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nonfinite_values_of_the_reference_are_part_of_the_answer(value):
    r = exact(0, (100,))
    r[7] = value
    other = r.float()
    other[7] = -value if value == value else 1.0
    assert verdict(r.float(), r.float(), r) is None
    assert verdict(other, r.float(), r) == "nonfinite"
    assert verdict(other, r.float(), r, stress=True) is None
    other[8] = 3.0
    assert verdict(other, r.float(), r, stress=True) is not None


def test_an_overflow_may_be_an_infinity_as_in_pytorch_or_the_right_value():
    r = torch.tensor([1e39, 1.0, 2.0], dtype=torch.float64)
    assert verdict(r.float(), r.float(), r) is None
    half = torch.tensor([6e4, 1.0, 2.0], dtype=torch.float64)
    eager = torch.tensor([torch.inf, 1.0, 2.0], dtype=torch.float16)
    assert verdict(half.half(), eager, half) is None
    assert verdict(torch.tensor([4e4, 1.0, 2.0], dtype=torch.float16), eager, half) == "nonfinite"


MATRICES = (randn(64, 512, seed=1), randn(512, 48, seed=2))


def split_k(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return sum(a[:, k : k + 64] @ b[k : k + 64] for k in range(0, a.shape[1], 64))


def tf32x3(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return tf32(a) @ tf32(b) + tf32(a) @ tf32(b - tf32(b)) + tf32(a - tf32(a)) @ tf32(b)


def online_softmax(x: torch.Tensor) -> torch.Tensor:
    top, total = torch.full((x.shape[0], 1), -math.inf), torch.zeros(x.shape[0], 1)
    for part in x.split(16, 1):
        higher = torch.maximum(top, part.amax(1, keepdim=True))
        total = total * torch.exp(top - higher) + torch.exp(part - higher).sum(1, keepdim=True)
        top = higher
    return torch.exp(x - top) / total


def one_pass_norm(x: torch.Tensor) -> torch.Tensor:
    mean = x.mean(1, keepdim=True)
    return (x - mean) * torch.rsqrt((x * x).mean(1, keepdim=True) - mean * mean + 1e-5)


def lanes(x: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(64)
    for part in x.reshape(-1, 64):
        total = total + part
    return total.sum() / x.numel()


ROWS = (randn(96, 256, seed=3),)
HONEST = {
    "split-K": (torch.matmul, MATRICES, split_k),
    "tf32x3": (torch.matmul, MATRICES, tf32x3),
    "online softmax": (lambda x: torch.softmax(x, 1), ROWS, online_softmax),
    "one-pass layer norm": (lambda x: F.layer_norm(x, (256,)), ROWS, one_pass_norm),
    "mean in lanes": (torch.mean, ROWS, lanes),
    "mean of positives in lanes": (torch.mean, (ROWS[0].abs(),), lanes),
    "tanh by exp": (torch.tanh, ROWS, lambda x: 1 - 2 / (torch.exp(2 * x) + 1)),
    "sigmoid by tanh": (torch.sigmoid, ROWS, lambda x: 0.5 + 0.5 * torch.tanh(0.5 * x)),
    "gelu by erfc": (F.gelu, ROWS, lambda x: 0.5 * x * torch.erfc(-x * 0.7071067811865476)),
    "blocked scan": (
        lambda x: x.cumsum(1),
        ROWS,
        lambda x: torch.cat(
            [p.cumsum(1) + x[:, : 32 * i].sum(1, keepdim=True) for i, p in enumerate(x.split(32, 1))], 1
        ),
    ),
    "relu": (F.relu, ROWS, lambda x: x.clamp(min=0)),
}
DOWNGRADED = {
    "bfloat16 product": (torch.matmul, MATRICES, lambda a, b: bf16(a) @ bf16(b)),
    "tf32 product": (torch.matmul, MATRICES, lambda a, b: tf32(a) @ tf32(b)),
    "float16 product": (torch.matmul, MATRICES, lambda a, b: a.half().float() @ b.half().float()),
    "bfloat16 result": (torch.matmul, MATRICES, lambda a, b: bf16(a @ b)),
    "bfloat16 mean": (torch.mean, ROWS, lambda x: bf16(x.mean())),
    "bfloat16 input of a copy": (F.relu, ROWS, lambda x: F.relu(bf16(x))),
    "tf32 softmax": (lambda x: torch.softmax(x, 1), ROWS, lambda x: tf32(torch.softmax(x, 1))),
    "clamped line for sigmoid": (torch.sigmoid, ROWS, lambda x: (0.2 * x + 0.5).clamp(0, 1)),
    "clamp for tanh": (torch.tanh, ROWS, lambda x: x.clamp(-1, 1)),
    "cubic for tanh": (torch.tanh, (0.3 * ROWS[0],), lambda x: x - x**3 / 3),
    "tanh gelu": (F.gelu, ROWS, lambda x: F.gelu(x, approximate="tanh")),
    "truncated sum": (torch.sum, ROWS, lambda x: x[:-1].sum()),
    "zeros": (torch.matmul, MATRICES, lambda a, b: torch.zeros(64, 48)),
    "mean of the output": (torch.sigmoid, ROWS, lambda x: torch.sigmoid(x).mean().expand_as(x)),
    "uniform softmax": (lambda x: torch.softmax(0.01 * x, 1), ROWS, lambda x: torch.full_like(x, 1 / 256)),
    "small values cut off": (F.relu, ROWS, lambda x: torch.where(x.abs() < 1e-3, 0, F.relu(x))),
    "tails of softmax cut off": (
        lambda x: torch.softmax(8 * x, 1),
        ROWS,
        lambda x: torch.softmax(8 * x, 1) * (torch.softmax(8 * x, 1) > 1e-4),
    ),
    "tails of sigmoid cut off": (torch.sigmoid, (9 * ROWS[0],), lambda x: torch.sigmoid(x) * (x > -9)),
}


@pytest.mark.parametrize("name", HONEST)
def test_another_way_to_compute_the_same_passes(name):
    assert held_against(*HONEST[name]) is None


@pytest.mark.parametrize("name", DOWNGRADED)
def test_lower_precision_and_approximations_fail(name):
    assert held_against(*DOWNGRADED[name]) is not None


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_zeros_fail_at_every_magnitude(scale):
    r = exact(0, (50,)) * scale
    assert verdict(torch.zeros(50), r.float(), r) == "norm"
    assert verdict(r.float(), r.float(), r) is None


def test_the_mean_of_a_nearly_constant_output_fails():
    r = 1 + 5e-7 * torch.randn(4096, generator=generator(0), dtype=torch.float64)
    assert verdict(torch.ones(4096), r.float(), r) == "norm"
    assert verdict(r.float(), r.float(), r) is None


def test_one_wrong_element_among_many_fails():
    r = exact(0, (100_000,))
    candidate = r.float()
    candidate[4321] += 1e-3
    failure = Yardstick(r.float(), r, draw="first").compare(candidate).failure(Precision.STRICT)
    assert (failure.rule, failure.index, failure.draw) == ("norm", (4321,), "first") or failure.rule == "worst"
    assert failure.index == (4321,)
    assert failure.candidate == candidate[4321].item()
    assert failure.eager == r[4321].float().item()
    assert failure.float64 == r[4321].item()
    assert failure.share_beyond == pytest.approx(1e-5)
    assert "output[4321]" in str(failure)


def test_an_ill_conditioned_sum_is_held_against_its_condition():
    x = torch.cat([randn(5000, seed=4), -randn(5000, seed=4).flip(0) + 1e-6])
    r, eager = x.double().sum(), x.sum()
    moved = one_rounding_unit(x, 3).sum()
    candidate = eager + 2e-6 * x.abs().sum() / 10000
    assert verdict(candidate, r.float(), r) is not None
    assert verdict(candidate, r.float(), r, moved) is None
    assert verdict(bf16(x).sum(), r.float(), r, moved) is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_outputs_have_their_own_rounding(dtype):
    a, b = (m.to(dtype) for m in MATRICES)
    yardstick = Yardstick(a @ b, a.double() @ b.double())
    eight_bits = [m.to(torch.float8_e4m3fn).to(dtype) for m in (a, b)]
    assert yardstick.compare((a.float() @ b.float()).to(dtype)).failure(Precision.STRICT) is None
    assert yardstick.compare(split_k(a, b)).failure(Precision.STRICT) is None
    assert yardstick.compare(eight_bits[0] @ eight_bits[1]).failure(Precision.STRICT) is not None


def test_bfloat16_does_not_pass_for_float16_however_much_the_inputs_are_moved():
    a, b = (m.half() for m in MATRICES)
    moved = one_rounding_unit(a, 1) @ one_rounding_unit(b, 2)
    yardstick = Yardstick(a @ b, a.double() @ b.double(), moved)
    product = a.float() @ b.float()
    assert yardstick.compare(product.half()).failure(Precision.STRICT) is None
    assert yardstick.compare(bf16(product).half()).failure(Precision.STRICT) is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_next_to_the_largest_number_infinity_is_as_right_as_what_eager_says(dtype):
    largest = torch.finfo(dtype).max
    r = torch.cat([exact(0, (50,)), torch.tensor([largest * (1 + 2**-8)])])
    eager = r.clamp(max=largest).to(dtype)
    candidate = eager.clone()
    candidate[-1] = torch.inf
    assert verdict(candidate, eager, r) is None
    assert verdict(eager, eager, r) is None
    candidate[0] = torch.inf
    assert verdict(candidate, eager, r) == "nonfinite"


def test_float64_problems_do_not_pass_in_float32():
    a, b = (m.double() for m in MATRICES)
    yardstick = Yardstick(a @ b, a @ b)
    assert yardstick.compare(split_k(a, b)).failure(Precision.STRICT) is None
    assert yardstick.compare((a.float() @ b.float()).double()).failure(Precision.STRICT) is not None


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_float64_values_whose_squares_leave_the_range(scale):
    r = exact(0, (100,)) * scale
    assert verdict(r * (1 + 1e-15), r, r) is None
    assert verdict(r * (1 + 1e-9), r, r) == "norm"
    assert verdict(torch.zeros_like(r), r, r) == "norm"


def test_a_zero_reference_wants_zeros():
    r = torch.zeros(20, dtype=torch.float64)
    assert verdict(torch.zeros(20), torch.zeros(20), r) is None
    assert verdict(torch.full((20,), 1e-20), torch.zeros(20), r) == "norm"


def test_integers_are_exact_up_to_near_ties():
    r = torch.arange(1000)
    eager = r.clone()
    other = r.clone()
    other[3] = 0
    assert verdict(other, eager, r) == "value"
    assert verdict(r, eager, r) is None
    eager[500] = 0
    assert verdict(other, eager, r) is None
    other[10:14] = 0
    assert verdict(other, eager, r) == "value"
    assert verdict(torch.tensor(2), torch.tensor(1), torch.tensor(3)) == "value"
    assert verdict(torch.tensor([True, False]), torch.tensor([True, True]), torch.tensor([True, True])) == "value"


def test_complex_outputs_are_compared_by_their_parts():
    r = torch.complex(exact(0, (100,)), exact(1, (100,)))
    assert verdict(r.to(torch.complex64), r.to(torch.complex64), r) is None
    wrong = r.to(torch.complex64)
    wrong.imag[5] += 0.01
    assert verdict(wrong, r.to(torch.complex64), r) is not None


def test_empty_outputs_and_numbers():
    empty = torch.zeros(0, 3)
    assert verdict(empty, empty, empty.double()) is None
    assert verdict((1.5, 3, True, None), (1.5, 3, True, None), (1.5, 3, True, None)) is None
    assert verdict(1.5 + 1e-8, 1.5 - 1e-8, 1.5) is None
    assert verdict(1.51, 1.5, 1.5) == "norm"
    assert verdict(4, 3, 3) == "value"
    assert verdict(True, 1, 1) == "structure"


def test_outputs_of_another_kind_are_told_apart():
    r = exact(0, (4, 5))
    eager = {"a": r.float(), "b": (r.float(), 3)}
    yardstick = Yardstick(eager, {"a": r, "b": (r, 3)})

    def failure(candidate):
        return yardstick.compare(candidate).failure(Precision.GIMLET)

    assert failure(eager) is None
    assert failure({"a": r.float()}).rule == "structure"
    assert failure({"a": r.float(), "b": (r.float(), torch.tensor(3))}).rule == "structure"
    assert failure({"a": r.float().T, "b": (r.float(), 3)}).rule == "shape"
    broken = failure({"a": r.float(), "b": (r, 3)})
    assert (broken.rule, broken.output) == ("dtype", "output['b'][0]")
    assert [path for path, _ in leaves(eager)] == ["output['a']", "output['b'][0]", "output['b'][1]"]


def test_chunks_do_not_change_the_result(monkeypatch):
    from kernelwright.judge import yardstick

    r = exact(0, (5000,))
    candidate, eager = noisy(r, 1e-4, 1), noisy(r, 1e-7, 2)
    whole = Yardstick(eager, r).compare(candidate)
    monkeypatch.setattr(yardstick, "_CPU_CHUNK", 333)
    parts = Yardstick(eager, r).compare(candidate)
    assert parts.leaves[0].errors.worst == whole.leaves[0].errors.worst
    assert parts.leaves[0].errors.norm == pytest.approx(whole.leaves[0].errors.norm, rel=1e-12)
    assert parts.failure(Precision.STRICT).index == whole.failure(Precision.STRICT).index


def test_named_tolerances_are_pytorchs_allclose():
    r = exact(0, (200,))
    eager = r.float()
    for size in (3e-5, 3e-3, 3e-2):
        candidate = eager + size
        compared = Yardstick(eager, r).compare(candidate)
        for precision, tolerance in ((Precision.KERNELBENCH, 1e-4), (Precision.GIMLET, 1e-2)):
            close = torch.allclose(candidate, eager, atol=tolerance, rtol=tolerance)
            assert (compared.failure(precision) is None) == close
    half = Yardstick(eager.half(), r)
    assert half.compare((eager + 3e-3).half()).failure(Precision.KERNELBENCH) is None


def test_the_record_keeps_the_worst_draw_and_stays_plain_json():
    r = exact(0, (200,))
    record = AccuracyRecord()
    record.add(Yardstick(r.float(), r, draw="one").compare(r.float()))
    good = record.accuracy()
    assert (good.draws, good.stress_draws, set(good.passes.values())) == (1, 0, {True})
    assert record.failure(Precision.STRICT) is None
    record.add(Yardstick(r.float(), r, draw="two", stress=True).compare((r * 1.0005).float()))
    middle = record.accuracy()
    assert middle.passes == {Precision.STRICT: False, Precision.KERNELBENCH: True, Precision.GIMLET: True}
    assert middle.candidate_norm == pytest.approx(5e-4, rel=1e-3)
    record.add(Yardstick(r.float(), r, draw="three").compare(torch.full((200,), torch.nan)))
    bad = record.accuracy()
    assert (bad.draws, bad.stress_draws, set(bad.passes.values())) == (2, 1, {False})
    assert bad.candidate_norm == NOTHING_IN_COMMON
    assert Accuracy.model_validate_json(bad.model_dump_json()) == bad
    assert record.failure(Precision.STRICT).draw == "two"


def test_stress_draws_stop_an_identity_under_published_tolerances():
    x = -randn(100).abs()
    compared = Yardstick(F.relu(x) + 1, F.relu(x.double()) + 1, stress=True).compare(x + 1)
    assert compared.failure(Precision.GIMLET) is not None


def test_one_rounding_unit_moves_by_half_an_eps():
    x = randn(1000)
    moved = one_rounding_unit(x, 1)
    assert moved.dtype == torch.float64
    assert torch.equal(
        (moved / x.double() - 1).abs().round(decimals=9),
        torch.full((1000,), 2.0**-24, dtype=torch.float64).round(decimals=9),
    )
    assert 400 < int((moved > x).sum()) < 600
    assert one_rounding_unit(torch.arange(3), 0).dtype == torch.int64


@given(seeds, st.sampled_from([(16, 5), (1000,), (64, 64), (3, 1, 200, 7)]), st.integers(0, 79))
def test_near_passes_what_is_accurate_and_stops_what_is_stale(seed, shape, place):
    r = exact(seed, shape)
    moved = r.clone()
    moved.reshape(-1)[place] = 1.5 + r.abs().max()
    near = Yardstick(noisy(r, 1e-7, seed + 1), r).near(noisy(moved, 1e-7, seed + 2))
    assert near is not None
    honest, stale = near.compare(noisy(moved, 1e-7, seed + 3)), near.compare(noisy(r, 1e-7, seed + 1))
    assert all(honest.failure(precision) is None for precision in Precision)
    assert all(stale.failure(precision) is not None for precision in Precision)


def test_near_still_stops_lower_precision():
    r, moved = exact(0, (64, 64)), exact(1, (64, 64))
    near = Yardstick(noisy(r, 1e-7, 2), r).near(noisy(moved, 1e-7, 3))
    assert near is not None
    assert near.compare(moved.float().bfloat16().float()).failure(Precision.STRICT).rule == "norm"
    assert near.compare(noisy(moved, 3e-4, 4)).failure(Precision.STRICT).rule == "norm"


def test_near_is_not_there_for_answers_that_need_the_whole_yardstick():
    r = exact(0, (64,))
    holes = r.clone()
    holes[3] = math.inf
    assert Yardstick(holes.float(), holes).near(noisy(r, 1e-7, 1)) is None
    assert Yardstick(r.float(), r).near(r.float()[:32]) is None
    assert Yardstick(r.float(), r).near((r.float(), r.float())) is None
    assert Yardstick(torch.arange(9), torch.arange(9)).near(torch.arange(9) + 1) is not None


def test_a_timed_answer_that_is_near_eagers_under_the_rule_needs_no_run_in_float64() -> None:
    """As inexact as eager's own tf32, it would miss KernelBench's tolerance: nobody asked for that one."""
    right = exact(0, (4096,))
    eager, candidate = (right.float() + 2e-3 * randn(4096, seed=seed) for seed in (1, 2))
    draw = cast(Any, SimpleNamespace(yardstick=Yardstick(eager, right)))
    assert server._passes_near(draw, eager, candidate, "strict")
    assert not server._passes_near(draw, eager, candidate, "kernelbench")
    assert not server._passes_near(draw, eager, torch.zeros(4096), "strict")
