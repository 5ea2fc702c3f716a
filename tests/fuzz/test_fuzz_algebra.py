"""The fuzzer itself: rewritings are equal, mutations are not, and what is drawn is a problem. No judge in here."""

from random import Random

import pytest
from fuzz_cases import BLOCK, block
from fuzz_measure import AGREE, DIFFER, Measured, distance
from fuzz_modules import MOST_OUTPUTS, OPERATORS, Form, Given, Module, Step, modules, rewritings
from fuzz_operators import Setting
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import Tensor, tensor

from kernelwright import problems
from kernelwright.schema import Problem

CAREFUL = settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))
NEVER_ALONE = {("rounding", "result in bfloat16")}
"""Halves below 128 are exact in bfloat16."""


def relu(values: str, result: str) -> Step:
    return Step(OPERATORS["relu"], Setting((3, 5)), (values,), result)


TWICE_RELU = Module((Given("x0", (3, 5), "torch.randn(3, 5)"),), (relu("x0", "v0"), relu("v0", "v1")))


@settings(CAREFUL, max_examples=60)
@given(st.data())
def test_rewritings_are_equal_in_float64(data: st.DataObject):
    module = data.draw(modules())
    measured = Measured(module.problem)
    assume(measured.well_posed)
    forms = data.draw(rewritings(module))
    difference = measured.difference(module.candidate(forms))
    assert difference.by_draw and difference.largest <= AGREE, module.described(forms)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_rewriting_of_an_operator_is_equal_and_every_mutation_differs_somewhere(name: str):
    missing = {form.name for _, form in one_step(name).forms("mutant")} - {n for o, n in NEVER_ALONE if o == name}

    def settled(module: Module) -> bool:
        """Whether all mutations have been seen to differ, after this module too."""
        measured = Measured(module.problem)
        if not measured.well_posed:
            return False
        for k, form in module.forms("honest"):
            assert measured.difference(module.candidate({k: form})).largest <= AGREE, form.name
        for form in sorted(missing):
            if differs(measured, module, form):
                missing.discard(form)
        return not missing

    looking = settings(CAREFUL, derandomize=False, max_examples=300, phases=[Phase.generate])
    try:
        find(modules([name], 1), settled, settings=looking, random=Random(0))
    except NoSuchExample:
        pytest.fail(f"{name}: never seen to differ: {', '.join(sorted(missing))}")


def one_step(name: str) -> Module:
    return Module((), (Step(OPERATORS[name], Setting(()), (), "v0"),))


def differs(measured: Measured, module: Module, form: str) -> bool:
    try:
        return measured.difference(module.candidate({0: Form("mutant", form)})).largest > DIFFER
    except (RuntimeError, IndexError, ValueError):
        return False  # it does not fit this shape


def test_a_mutation_that_does_not_reach_the_output_is_none():
    measured = Measured(TWICE_RELU.problem)
    unseen, seen = ({1: Form("mutant", name)} for name in ("identity", "leaky"))
    assert measured.difference(TWICE_RELU.candidate(unseen)).largest == 0.0
    assert measured.difference(TWICE_RELU.candidate(seen)).largest == 0.0  # nothing negative comes to the second
    first = measured.difference(TWICE_RELU.candidate({0: Form("mutant", "leaky")}))
    assert first.largest == 0.0  # the second takes it away again
    assert measured.difference(TWICE_RELU.candidate({0: Form("mutant", "magnitude")})).largest > DIFFER


def test_only_what_no_step_reads_is_returned():
    assert TWICE_RELU.outputs == ("v1",)
    assert Module(TWICE_RELU.inputs, (relu("x0", "v0"), relu("x0", "v1"))).outputs == ("v0", "v1")


@settings(CAREFUL, max_examples=25)
@given(modules())
def test_what_is_drawn_is_a_kernelbench_problem(module: Module):
    loaded = problems.load(Problem(name="fuzz", format="kernelbench", source=module.problem))
    out = loaded.build(0)(*loaded.draw(1))
    outputs = out if isinstance(out, tuple) else (out,)
    shapes = {step.result: step.setting.shape for step in module.steps}
    assert 1 <= len(outputs) <= MOST_OUTPUTS
    assert [tuple(x.shape) for x in outputs] == [shapes[name] for name in module.outputs]


def test_the_same_seed_draws_the_same_cases_and_no_module_twice():
    known: set[str] = set()
    first, again = ([texts(batch) for batch in block(0, 3, 2, seen)] for seen in (known, None))
    assert first == again and len(first) == BLOCK
    more = [batch.module.problem for number in (1, 0) for batch in block(number, 3, 2, known)]
    assert len({*more, *(part[0] for part in first)}) == len(more) + BLOCK


def texts(batch) -> list[str]:
    return [batch.module.problem, *(batch.module.candidate(case.forms) for case in batch.cases)]


@pytest.mark.parametrize(
    ("found", "right", "expected"),
    [
        ((tensor([3.0, 4.0]),), (tensor([3.0, 4.0]),), 0.0),
        ((tensor([3.0, 4.5]),), (tensor([3.0, 4.0]),), 0.1),
        ((tensor([1.0]), tensor([2.0])), (tensor([1.0]), tensor([1.0])), 1.0),
        ((tensor([[1.0]]),), (tensor([1.0]),), float("inf")),
        ((tensor([float("nan")]),), (tensor([1.0]),), float("inf")),
        ((tensor([0.0]),), (tensor([0.0]),), 0.0),
    ],
)
def test_distance(found: tuple[Tensor, ...], right: tuple[Tensor, ...], expected: float):
    assert distance(found, right) == pytest.approx(expected)
