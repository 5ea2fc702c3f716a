"""Titles, figures and comparisons that prompts and Candidates are made of."""

import math
import random

import pytest
import torch
from model_author_kit import PROBLEM, around, counted, failed, timed

from kernelwright.authors import standing
from kernelwright.authors.language_model import figures
from kernelwright.authors.language_model.interface import MOST_WEIGHTS, Interface, interface_of
from kernelwright.authors.language_model.prose import EXPLANATION_CHARACTERS, TITLE_CHARACTERS, title_and_explanation
from kernelwright.problems import from_module
from kernelwright.schema import Interval, Problem

FILE = '"""Rows in registers.\n\nOne pass."""\nclass ModelNew: ...\n'


@pytest.mark.parametrize(
    ("prose", "title", "explanation"),
    [
        ("Fuses both passes. It reads once.", "Fuses both passes", "Fuses both passes. It reads once."),
        ("# Plan\n\n**Fuse** `exp` and the sum.", "Plan Fuse exp and the sum", "Plan\n\nFuse exp and the sum."),
        ("Here is the corrected version:\n\nUses simd_sum.", "Uses simd_sum", None),
        ("Sure! Let me fix that. Pads the tile by one.", "Pads the tile by one", None),
        ("I'll write the kernel.\n\nA tile of 16 × 16, e.g. for x.", "A tile of 16 × 16, e.g", None),
        ("- keeps rows in registers\n- 1.5 passes less", "keeps rows in registers 1.5 passes less", None),
        ("No full stop here", "No full stop here", "No full stop here"),
        ("", "Rows in registers", "Rows in registers.\n\nOne pass."),
        ("Here is the code:", "Rows in registers", "Here is the code:"),
        ("<answer>\nHalves it.\n</answer>", "Halves it", "Halves it."),
    ],
)
def test_titles(prose: str, title: str, explanation: str | None):
    found = title_and_explanation(prose, FILE)
    assert found[0] == title
    assert explanation is None or found[1] == explanation


def test_titles_are_short_and_of_one_line():
    title, explanation = title_and_explanation("word\nafter word " * 400, "not Python (")
    assert len(title) <= TITLE_CHARACTERS and "\n" not in title and title.endswith("…")
    assert len(explanation) <= EXPLANATION_CHARACTERS
    assert title_and_explanation("", "not Python (") == ("", "")


def test_a_fence_is_longer_than_what_it_holds():
    assert figures.fence("x\n", "python") == "```python\nx\n```"
    assert figures.fence("a\n````\nb") == "`````\na\n````\nb\n`````"


def test_what_is_cut_is_counted():
    assert figures.shortened("short", 5) == "short"
    assert figures.shortened("line\n" * 10, 12) == "line\nline\n[… 41 more characters left out]"
    assert figures.first_line("\n\n  the error \nmore") == "the error"
    assert figures.first_line("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.size(12), "12 B"),
        (figures.size(1536), "1.5 KiB"),
        (figures.size(1 << 30), "1 GiB"),
        (figures.size(1023 << 20), "1023 MiB"),
        (figures.count(8192), "8,192"),
        (figures.count(4_190_000), "4.19 million"),
        (figures.count(2.5e12), "2.5 trillion"),
        (figures.milliseconds(0.01234), "0.0123 ms"),
        (figures.milliseconds(12345.6), "12346 ms"),
        (figures.interval(Interval(median=1.5, low=1.25, high=2)), "1.50 [1.25, 2.00]"),
        (figures.interval(Interval(median=2, low=2, high=2)), "2.00"),
        (figures.interval(Interval(median=1500, low=150, high=15000)), "1500 [150, 15000]"),
        (figures.percent(0.256), "26 %"),
    ],
)
def test_figures(shown: str, expected: str):
    assert shown == expected


# --- comparisons ---


def test_the_interval_of_a_gain_holds_the_truth_as_often_as_it_says():
    """Two ratios with log-normal noise of 3 and 1 %, each known with its 95 % interval."""
    draw, inside = random.Random(5), 0
    for _ in range(2000):
        new, old = (true * math.exp(draw.gauss(0, sd)) for true, sd in ((3.0, 0.03), (2.0, 0.01)))
        found = standing.gain(_measured(1, new, 0.03), _measured(2, old, 0.01))
        assert found is not None
        inside += found.ratio.low <= 1.5 <= found.ratio.high
    assert 0.935 < inside / 2000 < 0.965


def _measured(number: int, value: float, sd: float):
    attempt = timed(number, value)
    interval = Interval(median=value, low=value * math.exp(-1.96 * sd), high=value * math.exp(1.96 * sd))
    speedup = attempt.verdict.speedup.model_copy(update={"eager": interval})
    return attempt.model_copy(update={"verdict": attempt.verdict.model_copy(update={"speedup": speedup})})


def test_without_ratios_times_are_compared_and_without_times_nothing():
    old, new = (
        a.model_copy(update={"verdict": a.verdict.model_copy(update={"speedup": type(a.verdict.speedup)()})})
        for a in (timed(1, 1.0), timed(2, 2.0))
    )
    found = standing.gain(new, old)
    assert found is not None and found.faster and found.ratio.median == pytest.approx(2.0)
    assert standing.gain(timed(1, 2.0), failed(2)) is None
    assert standing.gain(timed(1, 2.0), counted(2, 1.0)) is None


def test_equal_work_is_neither_faster_nor_slower():
    found = standing.gain(counted(1, 1.0), counted(2, 1.0))
    assert found is not None and not found.faster and not found.slower and not found.measured


def test_noise_is_no_gain():
    found = standing.gain(timed(2, 2.05), timed(1, 2.0))
    assert found is not None and not found.faster and not found.slower
    assert found.ratio.high / found.ratio.low == pytest.approx((around(1.0).high / around(1.0).low) ** 2**0.5, rel=1e-3)


# --- what a reference takes and returns ---


def test_shapes_are_found_without_data():
    huge = PROBLEM.model_copy(update={"source": PROBLEM.source.replace("64, 128", "1 << 22, 128")})  # 2 GiB of input
    assert interface_of(huge) == Interface(
        inputs=("x: float32 [4194304, 128]",), weights=("scale: float32 [128]",), outputs=("output: float32 [4194304]",)
    )


def test_nested_inputs_and_outputs_have_their_paths():
    class Pair(torch.nn.Module):
        def forward(self, pair, *, flag=True):
            return {"sum": pair[0] + pair[1], "both": (pair[0].t(), 3)}

    found = interface_of(from_module(Pair(), [(torch.zeros(2, 3), torch.zeros(2, 3))]))
    assert found.inputs == ("pair[0]: float32 [2, 3]", "pair[1]: float32 [2, 3]")
    assert found.outputs == (
        "output['sum']: float32 [2, 3]",
        "output['both'][0]: float32 [3, 2], strides [1, 3]",
        "output['both'][1]: int 3",
    )


def test_many_weights_are_counted():
    found = interface_of(
        from_module(torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(40))), [torch.zeros(1, 2)])
    )
    assert (len(found.weights), found.more_weights) == (MOST_WEIGHTS, 80 - MOST_WEIGHTS)


@pytest.mark.parametrize("source", ["raise SystemExit", "import nothing_of_that_name", "class Model: ..."])
def test_a_problem_that_does_not_run_has_no_lines(source: str):
    assert interface_of(Problem(name="p", format="kernelbench", source=source)) == Interface()
