"""Metamorphic relations: which hold for a problem, what they do to a draw, and what they catch."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from kernelwright import platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.accuracy import Yardstick
from kernelwright.judge.reference.draws import NATURAL, Draws
from kernelwright.judge.reference.relations import MOVED, PERMUTED, SCALED, Permutation, Scaling, relations
from kernelwright.schema import Candidate, Precision, Problem, Status

seeds = st.integers(0, 2**31)
PERMUTED_ONLY, SCALED_ONLY, BOTH, NEITHER = {PERMUTED}, {SCALED}, {PERMUTED, SCALED}, set[str]()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def found(function: Callable[..., object], *inputs: object, seed: int = 3) -> dict[str, Permutation | Scaling]:
    given_relations = relations(lambda given: function(*given), inputs, function(*inputs), generator(seed))
    return {relation.kind: relation for relation in given_relations}


X, Y, SQUARE = randn(6, 8, seed=1), randn(6, 8, seed=2), randn(6, 6, seed=3)
IDS = torch.arange(6)
CASES = {
    "softmax of rows": (lambda x: torch.softmax(x, 1), (X,), PERMUTED_ONLY),
    "ReLU": (F.relu, (X,), BOTH),
    "linear without a bias": (lambda x: x @ SQUARE.repeat(2, 1)[:8], (X,), BOTH),
    "linear with a bias": (lambda x: x @ SQUARE.repeat(2, 1)[:8] + 1, (X,), PERMUTED_ONLY),
    "product of two tensors": (lambda x, y: x * y, (X, Y), BOTH),
    "square": (torch.square, (X,), PERMUTED_ONLY),
    "deviation from the mean of the batch": (lambda x: x - x.mean(0), (X,), BOTH),
    "running sum over the batch": (lambda x: x.cumsum(0), (X,), SCALED_ONLY),
    "running product over the batch": (lambda x: x.cumprod(0), (X,), NEITHER),
    "a number for each place": (lambda x: torch.sigmoid(x + torch.arange(6.0).double()[:, None]), (X,), NEITHER),
    "a loss over the batch": (F.mse_loss, (X, Y), PERMUTED_ONLY),
    "two outputs": (lambda x: {"rows": x.sum(1), "all": x.sum()}, (X,), BOTH),
    "square matrices": (torch.matmul, (SQUARE, randn(6, 6, seed=4)), BOTH),
    "positions of maxima": (lambda x: x.argmax(1), (X,), PERMUTED_ONLY),
    "maxima": (lambda x: x.amax(1), (X,), BOTH),
    "rows of a table by number": (lambda ids: X[ids], (IDS,), PERMUTED_ONLY),
    "scalar input": (lambda x: 3 * x, (torch.tensor(2.0, dtype=torch.float64),), SCALED_ONLY),
    "one row": (torch.tanh, (X[:1],), NEITHER),
    "nothing but zeros": (lambda x: 0 * x, (X,), PERMUTED_ONLY),
}


@pytest.mark.parametrize("name", CASES)
def test_what_holds_is_found_and_nothing_else(name: str):
    function, inputs, expected = CASES[name]
    assert found(function, *inputs).keys() == expected


def test_the_factor_is_negative_where_the_module_is_odd_and_never_a_power_of_two():
    odd, even = found(lambda x: 2 * x, X)[SCALED], found(F.relu, X)[SCALED]
    assert isinstance(odd, Scaling) and isinstance(even, Scaling)
    assert -1.9 < odd.factor < -1.1 and 1.1 < even.factor < 1.9


def test_only_the_first_factor_of_a_square_product_is_a_batch():
    both, one = found(F.mse_loss, X, Y)[PERMUTED], found(torch.matmul, SQUARE, SQUARE.clone())[PERMUTED]
    assert isinstance(both, Permutation) and isinstance(one, Permutation)
    assert (both.inputs, both.outputs) == ({0, 1}, set())
    assert (one.inputs, one.outputs) == ({0}, {0})


def test_a_module_that_refuses_moved_inputs_has_no_relation():
    def picky(x: torch.Tensor) -> torch.Tensor:
        if not torch.equal(x, X):
            raise ValueError("not what was agreed")
        return x.clone()

    assert found(picky, X) == {}


def test_values_that_are_not_finite_must_stay_where_they_belong():
    holes = X.clone()
    holes[2, 3], holes[4, 0] = torch.nan, torch.inf
    assert found(lambda x: x * 2, holes).keys() == BOTH
    assert found(lambda x: torch.where(torch.isnan(x), x.new_tensor(1.0), x).cumsum(0), holes) == {}


@given(seeds, st.integers(2, 40), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_no_row_keeps_its_place_and_all_of_them_are_there(seed: int, rows: int, columns: int):
    x = randn(rows, columns, seed=seed)
    relation = found(torch.tanh, x, seed=seed)[PERMUTED]
    (moved,) = relation.of_inputs((x,))
    assert not bool((moved == x).all(1).any())
    assert torch.equal(moved.sort(0).values, x.sort(0).values)
    assert torch.equal(relation.of_outputs(torch.tanh(x)), torch.tanh(moved))


@given(seeds, st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_every_linear_map_scales(seed: int, n: int, m: int):
    weights = randn(n, m, seed=seed)
    x = randn(4, n, seed=seed + 1)
    relation = found(lambda x: (x @ weights, weights.argmax()), x, seed=seed)[SCALED]
    answers = relation.of_outputs((x @ weights, weights.argmax()))
    (moved,) = relation.of_inputs((x,))
    torch.testing.assert_close(answers[0], moved @ weights, rtol=1e-12, atol=1e-12)
    assert torch.equal(answers[1], weights.argmax())


def test_a_tensor_in_two_places_stays_one():
    relation = Scaling(0, 1.5)
    one = torch.ones(3)
    (a, b), c = Scaling(0, 1.5).of_outputs(([one, one], 7))
    assert a is b and c == 7 and relation.of_inputs((one,))[0] is not one


def source(forward: str, setup: str = "pass", inputs: str = "torch.randn(24, 40)") -> str:
    return (
        "import torch\nfrom torch import nn\nclass Model(nn.Module):\n"
        f"    def __init__(self):\n        super().__init__()\n        {setup}\n"
        f"    def forward(self, x):\n        {forward}\n"
        f"def get_inputs():\n    return [{inputs}]\ndef get_init_inputs():\n    return []\n"
    )


def drawn(text: str) -> Draws:
    problem = problems.load(Problem(name="sample", format="kernelbench", source=text))
    return Draws(problem, problem.build(1), platforms.get("cpu"), budget=1 << 30)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_carried_answers_are_those_of_a_run_of_its_own(dtype: str):
    text = source("return torch.relu(x.sum(1, keepdim=True)) - x", inputs=f"torch.randn(24, 40, dtype=torch.{dtype})")
    draws = drawn(text)
    assert draws.find_relations(5) == MOVED
    for kind in MOVED:
        carried, run = draws.get(5, kind), draws.run_moved(5, kind)
        assert carried.yardstick.compare(run.eager).failure(Precision.STRICT) is None
        assert run.yardstick.compare(run.eager).failure(Precision.STRICT) is None
        wrong = draws.get(5, NATURAL).eager
        assert carried.yardstick.compare(wrong).failure(Precision.STRICT) is not None


def test_a_process_that_stands_in_for_a_lost_one_finds_the_relations_again():
    text = source("return torch.softmax(x, 1)")
    first, second = drawn(text), drawn(text)
    first.find_relations(5)
    (there,), (here,) = first.get(5, PERMUTED).inputs, second.get(5, PERMUTED).inputs
    assert torch.equal(there, here)


def test_rows_that_meet_each_other_have_no_order_to_change():
    assert drawn(source("return torch.sigmoid(x @ x.T[:, :5])")).find_relations(5) == ()


def test_a_reference_that_changes_its_inputs_is_left_alone():
    assert drawn(source("return x.mul_(2)")).find_relations(5) == ()


def session(text: str) -> JudgeSession:
    problem = Problem(name="sample", format="kernelbench", source=text)
    return JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True))


LINEAR = source("return self.w(x)", setup="self.w = nn.Linear(40, 12, bias=False)")
ROW_SET = source(
    "key = tuple(sorted(x.double().sum(1).tolist()))\n"
    "        if key not in self.seen: self.seen[key] = self.w(x)\n        return self.seen[key].clone()",
    setup="self.w, self.seen = nn.Linear(40, 12, bias=False), {}",
)
DIRECTION = source(
    "y = x.double() / x.double().norm()\n        y = y * y[0, 0].sign()\n"
    "        key = tuple(round(v, 4) for v in y.sum(1).tolist())\n"
    "        if key not in self.seen: self.seen[key] = self.w(x)\n        return self.seen[key].clone()",
    setup="self.w, self.seen = nn.Linear(40, 12, bias=False), {}",
)
BY_PLACE = source(
    "w = self.w.weight\n        half = len(x) // 2\n"
    "        far = sum(x[half:, k:k + 8] @ w[:, k:k + 8].T for k in range(0, 40, 8))\n"
    "        return torch.cat([x[:half] @ w.T, far])",
    setup="self.w = nn.Linear(40, 12, bias=False)",
)


@pytest.mark.parametrize(
    ("candidate", "rule"),
    [(ROW_SET, "metamorphic_permutation"), (DIRECTION, "metamorphic_scaling"), (BY_PLACE, None), (LINEAR, None)],
    ids=["by the set of rows", "by the direction", "rounded by place", "the reference"],
)
def test_what_only_a_moved_draw_shows(candidate: str, rule: str | None, linear: JudgeSession):
    text = candidate.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")
    verdict = linear.judge(Candidate(source=text, author="test"))
    assert verdict.rule == rule, verdict.feedback
    assert verdict.status is (Status.MISMATCH if rule else Status.CORRECT)
    if rule:
        assert "right on every draw" in verdict.feedback and "float64" in verdict.feedback


@pytest.fixture(scope="module")
def linear():
    with session(LINEAR) as opened:
        opened.open()
        assert [draw.kind for draw in opened.plan[-2:]] == list(MOVED)
        yield opened


def test_a_carried_yardstick_takes_any_nest():
    eager = {"a": torch.ones(4), "b": [torch.arange(4), 3]}
    right = {"a": torch.ones(4).double(), "b": [torch.arange(4), 3]}
    relation = Permutation(frozenset({0}), frozenset({0, 1}), torch.tensor([1, 2, 3, 0]))
    moved = relation.of_outputs(eager)
    assert torch.equal(moved["b"][0], torch.tensor([1, 2, 3, 0])) and moved["b"][1] == 3
    held = Yardstick(moved, relation.of_outputs(right)).compare(moved)
    assert held.failure(Precision.STRICT) is None
