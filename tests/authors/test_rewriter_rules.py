"""Every rule on random shapes: it fires, and both sides agree in float64."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import CASES
from sketches import Sketch, assert_same, graph_of, run_sketch

from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.rules.convolution import windows
from kernelwright.authors.rewriter.saturate import Saturation


def test_every_rule_has_a_case() -> None:
    names = [rule.name for rule in ALL]
    assert sorted(CASES) == sorted(names)
    assert len(set(names)) == len(names)


def test_every_rule_says_why_it_holds() -> None:
    assert all(rule.proof and rule.condition and "\n" not in rule.proof for rule in ALL)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_rule_fires_and_holds(rule: Any) -> None:
    examples = 4 if rule.name.startswith("skip-") else 12

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        torch.manual_seed(data.draw(st.integers(0, 1000)))
        sketch = Sketch()
        root = CASES[rule.name](data.draw, sketch)
        run = Saturation(sketch.graph(root), [rule])
        for _ in range(2):
            run.round(deadline=float("inf"), most_terms=1000)
        steps = [step for step in run.steps if step.rule == rule.name]
        assert steps, f"{rule.name} did not fire"
        for step in steps[:3]:
            both = graph_of(run.terms, [step.old, step.new])
            left, right = run_sketch(sketch, both)
            assert_same([right], [left])

    holds()


@given(
    transposed=st.booleans(),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    size=st.integers(1, 12),
    taps=st.integers(1, 5),
)
@settings(max_examples=200, deadline=None)
def test_windows_are_what_each_tap_meets(
    transposed: bool, stride: int, padding: int, dilation: int, size: int, taps: int
) -> None:
    reach = dilation * (taps - 1)
    positions = (
        (size - 1) * stride - 2 * padding + reach + 1 if transposed else (size + 2 * padding - reach - 1) // stride + 1
    )
    if positions < 1:
        return
    attrs = {"stride": (stride,), "padding": (padding,), "dilation": (dilation,), "transposed": transposed}
    for k, (start, stop, step) in enumerate(windows(attrs, 0, size, taps, positions)):
        if transposed:
            met = [i for i in range(size) if 0 <= i * stride + k * dilation - padding < positions]
        else:
            met = [i for p in range(positions) if 0 <= (i := p * stride + k * dilation - padding) < size]
        assert list(range(start, stop, step)) == met
