"""Searches for the largest and smallest elements in the author ``templates``: which are found, and what they answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from compiled_kit import compiled
from templates_kit import Answers, Case, Limits, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import extremes, rows


class Module(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, indices = x.max(1)
    return values, indices


def least(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, indices = torch.relu(x + 1.0).min(0, keepdim=True)
    return values, indices


CASES: dict[str, Callable[..., Any]] = {
    "last": lambda x: x.argmax(-1),
    "middle": lambda x: x.argmax(1),
    "first, smallest": lambda x: x.argmin(0, keepdim=True),
    "last, smallest": lambda x: (x * 2.0 - 1.0).argmin(2),
    "all": lambda x: x.argmax(),
    "values too": both,
    "smallest values too": least,
}
ANY = [(extremes, "FEWEST_ELEMENTS", 1)]
CUTS: dict[str, Limits] = {
    "whole": [*ANY, (rows, "FILLS", 1)],
    "in parts": [*ANY, (rows, "STEP", 16), (rows, "BESIDE", 16), (rows, "FILLS", 10_000), (rows, "PROGRAMS", 64)],
}
TRIED = [
    *((name, "whole") for name in CASES),
    *((name, "in parts") for name in ("middle", "all", "smallest values too")),
]
SHAPE = (4, 50, 18)


def drawn() -> torch.Tensor:
    """Ties, zeros of both signs, infinities, NaNs."""
    torch.manual_seed(0)
    x = torch.randint(-4, 5, SHAPE).float()
    x[0, 30, :3] = torch.tensor([float("nan"), float("inf"), float("-inf")])
    x[0, 40, 0] = x[2, 11, 5] = x[3, 9, 5] = float("nan")
    x[1] = float("-inf")
    x[2, ::2, 6:] = -0.0
    x[2, 1::2, 6:] = 0.0
    return x


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    x = drawn()
    cases = {f"{name} {how}": Case.of(Module(CASES[name]), [x], CUTS[how]) for name, how in TRIED}
    return interpreted(tmp_path_factory.mktemp("extremes"), cases)


@pytest.mark.parametrize(("name", "how"), TRIED)
def test_the_first_of_equal_ones_and_nan_before_all(name: str, how: str, answers: Answers) -> None:
    answer, eager, _ = answers[f"{name} {how}"]
    torch.testing.assert_close(answer, eager, rtol=0.0, atol=0.0, equal_nan=True)


def test_what_is_found() -> None:
    def graph_of(function: Callable[..., Any], *inputs: torch.Tensor) -> Any:
        return capture(Module(function), list(inputs)).graph

    large = torch.zeros(64, 128, 129)
    (found,) = extremes.find(graph_of(lambda x: torch.tanh(x).argmax(1), large))
    assert found.rows.sizes == (64, 128, 129) and len(found.before) == 1
    assert extremes.find(graph_of(lambda x: x.argmax(1), torch.zeros(64, 128))) == []
    assert extremes.find(graph_of(lambda x: x.argmax(1), large.double())) == []
    # values alone are a reduction
    assert extremes.find(graph_of(lambda x: x.max(1)[0], large)) == []


def test_rows_are_read_side_by_side(tmp_path: Path) -> None:
    _, (text,) = compiled(Module(lambda x: x.argmax(1)), [torch.zeros(16, 256, 512)], [], tmp_path)
    reads = [line for line in text.splitlines() if "ld.global" in line]
    assert reads and all(".v4." in line for line in reads)
