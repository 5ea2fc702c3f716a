"""The experiment behind ``strict``: its emulations, its classes, and a corner of its result."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge.accuracy import Yardstick
from kernelwright.schema import Precision

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@pytest.fixture(scope="module", autouse=True)
def experiment():
    """The modules beside the script, which are no package that is installed."""
    sys.path.insert(0, str(BENCHMARKS))
    from accuracy import experiment

    yield experiment
    sys.path.remove(str(BENCHMARKS))


@given(st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))
def test_rounding_to_tf32_is_to_the_nearest(value: float):
    from accuracy.rounding import tf32

    x = torch.tensor([value])
    rounded = tf32(x)
    assert float((rounded - x).abs()) <= float(x.abs()) * 2**-11
    assert torch.equal(tf32(rounded), rounded)
    assert int(rounded.view(torch.int32)) & ((1 << 13) - 1) == 0


def test_three_tf32_products_are_as_exact_as_float32_and_one_is_not():
    from accuracy.rounding import split_product, tf32

    g = torch.Generator().manual_seed(1)
    a, b = torch.randn(32, 128, generator=g), torch.randn(128, 24, generator=g)
    exact = a.double() @ b.double()

    def error(c: torch.Tensor) -> float:
        return float((c.double() - exact).norm() / exact.norm())

    assert error(split_product(torch.matmul, 2, tf32)(a, b)) < 4 * error(a @ b) < error(tf32(a) @ tf32(b)) / 10


def test_errors_of_approximations_are_measured():
    from accuracy.rounding import magic_rsqrt, polynomial_exp, rational_tanh, relative_error, schraudolph_exp

    assert 0.02 < relative_error(schraudolph_exp, torch.exp, -10, 10) < 0.08
    assert 1e-5 < relative_error(polynomial_exp(3), torch.exp, -10, 10) < 1e-3
    assert relative_error(polynomial_exp(6), torch.exp, -10, 10) < 2e-7
    assert 0.01 < relative_error(rational_tanh, torch.tanh, -5, 5) < 0.05
    errors = [relative_error(magic_rsqrt(n), torch.rsqrt, 0.01, 10) for n in range(3)]
    assert 0.03 < errors[0] < 0.04 and 1e-3 < errors[1] < 2e-3 and 4e-6 < errors[2] < 6e-6


def test_there_are_enough_operators_and_every_one_has_both_classes(experiment):
    operators = experiment.OPERATORS
    assert len(operators) >= 40
    assert len({operator.name for operator in operators}) == len(operators)
    for operator in operators:
        assert len(operator.sizes) >= 2, operator.name
        for dtype in DTYPES:
            variants = list(operator.variants(dtype))
            assert {variant.honest for variant in variants} == {True, False}, (operator.name, dtype)
            assert len({variant.name for variant in variants}) == len(variants), operator.name


def test_a_dtype_is_not_blamed_for_its_own_rounding(experiment):
    matmul = next(operator for operator in experiment.OPERATORS if operator.name == "matmul")
    formats = {
        dtype: {variant.name.split()[0] for variant in matmul.variants(dtype) if variant.kind == "format"}
        for dtype in DTYPES
    }
    assert formats[torch.float32] == {"tf32", "float16", "bfloat16", "float8"}
    assert formats[torch.float16] == {"bfloat16", "float8"}
    assert formats[torch.bfloat16] == {"float8"}


@pytest.mark.parametrize("name", ["matrix times vector", "softmax", "GELU", "maximum", "GRU cell"])
def test_the_classes_part_in_float32(experiment, name: str):
    operator = next(operator for operator in experiment.OPERATORS if operator.name == name)
    for cell in experiment.run(operator, torch.float32, operator.sizes[0]):
        assert cell.accepted == cell.honest, cell


def test_a_multiple_that_passes_lets_larger_ones_pass(experiment):
    operator = next(operator for operator in experiment.OPERATORS if operator.name == "mean of positives")
    for cell in experiment.run(operator, torch.bfloat16, (64, 256)):
        passed = [cell.passes(multiple) for multiple in experiment.MULTIPLES]
        assert passed == sorted(passed)


def test_the_tables_count_what_the_cells_say(experiment, tmp_path: Path):
    from accuracy import tables

    def cell(honest: bool, allowed: float | None, **more: object):
        fields = {
            "operator": "an operator", "family": "reduction", "dtype": "float16", "size": (2, 3), "variant": "a way",
            "honest": honest, "kind": "format", "to_eager": 1.5, "error": 0.5, "to_bound": 0.3,
            "allowed_from": allowed, "caught_by": (), "plan": ("natural 1", "large"), "kernelbench": True,
            "gimlet": True,
        }  # fmt: skip
        return experiment.Cell(**(fields | more))

    cells = [cell(True, 0.5), cell(True, 2.0), cell(False, None), cell(False, 1.0), cell(False, 4.0, error=9.0)]
    rejected, accepted = tables.mistakes(cells, lambda c: c.accepted)
    assert (rejected, accepted) == ([cells[1]], [cells[3]])
    assert "float16: 1 of 2 honest rejected, 1 of 3 dishonest accepted" in tables.summary(cells)
    assert tables.unexplained(cells) == [cells[1]]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.write_between_markers(page, tables.tables(cells))
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text
    assert "| float16 | `strict` | 2 | 1 | 3 | 1 (33.3 %) |" in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="no markers"):
        tables.write_between_markers(page, "text")


def test_other_constants_ask_for_more(experiment):
    from functools import partial

    r = torch.randn(1000, dtype=torch.float64)
    candidate = (r * (1 + 3e-7)).float()

    def rule(factor: float) -> str | None:
        held = Yardstick(r.float(), r, constants=partial(experiment.constants_times, factor))
        failure = held.compare(candidate).failure(Precision.STRICT)
        return failure and failure.rule

    assert rule(1.0) is None and rule(1 / 8) == "norm"


def test_what_is_saved_is_read_back(experiment, tmp_path: Path):
    import accuracy_threshold

    operator = next(operator for operator in experiment.OPERATORS if operator.name == "argmax")
    cells = experiment.run(operator, torch.float16, (64, 256))
    path = tmp_path / "cells.json"
    assert accuracy_threshold.saved(path) == {}
    accuracy_threshold.save(path, {"argmax": cells})
    (found,) = accuracy_threshold.saved(path).values()
    assert [(c.variant, c.size, c.plan, c.accepted, c.caught_by) for c in found] == [
        (c.variant, c.size, c.plan, c.accepted, c.caught_by) for c in cells
    ]
    path.write_text(path.read_text().replace(torch.__version__, "another"))
    assert accuracy_threshold.saved(path) == {}, "figures of two versions of torch are not mixed"
