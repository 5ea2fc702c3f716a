"""Scans of the author ``templates``: which of them have a kernel, and what it computes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import scans

Function = Callable[..., torch.Tensor]


class Scanned(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def exclusive(x: torch.Tensor) -> torch.Tensor:
    sums = torch.cumsum(x.narrow(1, 0, x.shape[1] - 1), dim=1)
    return torch.cat((torch.zeros_like(x.select(1, 0).unsqueeze(1)), sums), dim=1)


def backwards(x: torch.Tensor) -> torch.Tensor:
    return torch.cumsum(torch.relu(x).flip(1), dim=1).flip(1)


CASES: dict[str, tuple[Function, tuple[int, ...]]] = {
    "sums": (lambda x: x.cumsum(-1), (3, 301)),
    "sums of short rows": (lambda x: (x * 2.0).cumsum(2), (2, 5, 7)),
    "products": (lambda x: torch.cumprod(1.0 + 0.01 * x, dim=1), (3, 301)),
    "backwards": (backwards, (3, 301)),
    "exclusive": (exclusive, (3, 301)),
    "masked": (lambda x, mask: torch.cumsum(x * mask, dim=1), (3, 301)),
}
LIMITS = [(scans, "FEWEST_ELEMENTS", 1), (scans, "FEWEST_ROWS", 1)]


def inputs_of(name: str, shape: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.randn(shape), *([torch.randn(shape) > 0.0] if name == "masked" else [])]


CUTS = {"one block": LIMITS, "blocks": [*LIMITS, (scans, "STEP", 64)]}


@cache
def made(name: str) -> Case:
    torch.manual_seed(0)
    function, shape = CASES[name]
    return Case.of(Scanned(function), inputs_of(name, shape), LIMITS)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    cases = {f"{name} {how}": replace(made(name), limits=CUTS[how]) for name in CASES for how in CUTS}
    return interpreted(tmp_path_factory.mktemp("scans"), cases)


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", CASES)
def test_scans_are_as_exact_as_float32(name: str, how: str, answers: Answers) -> None:
    """Half of what the judge grants: eager adds up in float64 on a CPU, and the interpreter one by one."""
    answer, eager, exact = answers[f"{name} {how}"]
    assert answer.shape == eager.shape and answer.dtype is torch.float32
    assert error(answer, exact) <= 4 * torch.finfo(torch.float32).eps


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for template, name, value in LIMITS:
        monkeypatch.setattr(template, name, value)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("name", CASES)
def test_what_belongs_to_a_scan_is_inside(name: str) -> None:
    graph = made(name).captured.graph
    (scan,) = scans.find(graph)
    placed, _ = scans.place(graph, [scan])
    assert [node.op for node in placed.nodes if node.op not in ("input", "const")] == ["call"]
    assert (scan.reverse, scan.exclusive) == (name == "backwards", name == "exclusive")


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.cumsum(0),
        lambda x: x.cumsum(1, dtype=torch.float64),
        lambda x: x.double().cumsum(1),
        lambda x: x.long().cumsum(1),
        lambda x: x.cummax(1).values,
    ],
)
def test_other_scans_are_left_alone(function: Function) -> None:
    assert scans.find(capture(Scanned(function), [torch.randn(3, 301)]).graph) == []


@pytest.mark.usefixtures("any_size")
def test_what_somebody_else_sees_stays_outside() -> None:
    def seen(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.relu(x)
        turned = y.flip(1)
        return turned.cumsum(1).flip(1), turned

    graph = capture(Scanned(seen), [torch.randn(3, 301)]).graph
    (scan,) = scans.find(graph)
    assert not scan.reverse and not scan.before

    shifted = capture(
        Scanned(lambda x: torch.cat((torch.ones_like(x[:, :1]), x[:, :-1].cumsum(1)), 1)), [torch.randn(3, 301)]
    )
    (scan,) = scans.find(shifted.graph)
    assert not scan.exclusive


def test_few_rows_are_left_alone() -> None:
    assert scans.find(capture(Scanned(lambda x: x.cumsum(1)), [torch.randn(2, 1 << 19)]).graph) == []
    assert scans.find(capture(Scanned(lambda x: x.cumsum(1)), [torch.randn(256, 64)]).graph) == []
