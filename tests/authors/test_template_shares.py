"""Rows that several programs keep together, in the author ``templates``.

Triton's interpreter runs one program after the other: here none waits, and the second of two launches finds what all
programs have written in the first.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from compiled_kit import compiled
from hypothesis import given
from hypothesis import strategies as st
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.templates import reductions, rows
from kernelwright.authors.templates.rows import FEWEST_GROUPS, FILLS, SHARE, Rows, shares


class Module(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.randn(7))
        self.shift = nn.Parameter(torch.randn(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...]]] = {
    "softmax": (lambda m, x: (x * 2.0).softmax(1) + 1.0, (9, 1900)),
    "log_softmax": (lambda m, x: x.log_softmax(1), (9, 2048)),
    "instance_norm": (lambda m, x: torch.relu(F.instance_norm(x, weight=m.scale, bias=m.shift)), (2, 7, 40, 50)),
    "l2": (lambda m, x: x / torch.norm(x, dim=1, keepdim=True), (70, 2000)),
}
SMALL = [
    (reductions, "FEWEST_ELEMENTS", 1), (rows, "IN_CACHE", 1), (rows, "OUT_OF_CACHE", 1), (rows, "KEPT", 2),
    (rows, "SHARE", 512),
]  # fmt: skip


def twice(source: str) -> str:
    """Every launch two times, and nobody waits."""
    assert "while seen < expected" in source
    source = source.replace("while seen < expected", "while seen < 0")
    return re.sub(r"(    \w+_shared_kernel\[.*?\n    \)\n)", r"\1\1", source, flags=re.S)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernelwright.authors.templates.reduction_text.SHARE", 512)
        cases = {name: Case.of(Module(f), [torch.randn(shape)], SMALL) for name, (f, shape) in CASES.items()}
        return interpreted(tmp_path_factory.mktemp("shares"), cases, twice)


@pytest.mark.parametrize("name", CASES)
def test_shared_rows_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape
    assert error(answer, exact) <= max(2 * error(eager, exact), torch.finfo(torch.float32).eps)


@given(st.integers(1, 10_000), st.integers(2, 5_000_000), st.sampled_from([1, 3]), st.sampled_from([1, 2]))
def test_all_programs_run_at_once_and_have_something_to_keep(outer: int, length: int, inner: int, tensors: int) -> None:
    parts = shares(Rows((outer,), (length,), (inner,)), tensors)
    if parts:
        assert (inner, tensors) == (1, 1) and FEWEST_GROUPS * parts <= FILLS
        assert 0.75 * parts * SHARE <= length <= parts * SHARE


@pytest.mark.parametrize("shape", [(4096, 393_216), (7168, 262_144)])
def test_rows_of_megabytes_are_shared(shape: tuple[int, int]) -> None:
    assert shares(Rows(shape[:1], shape[1:], ()), 1) == shape[1] // SHARE


def test_a_share_fits_into_registers(tmp_path: Path) -> None:
    limits = [(rows, "OUT_OF_CACHE", 1)]
    source, (text,) = compiled(Module(lambda m, x: x.softmax(1)), [torch.zeros(8, 131_072)], limits, tmp_path)
    assert "maxnreg=64" in source and "launch_cooperative_grid=True" in source
    assert ".maxnreg 64" in text and ".local" not in text
    moved = [line for line in text.splitlines() if re.search(r"(ld|st)\.global\S*\.v4", line)]
    assert len(moved) == 2 * SHARE // (512 * 4)
