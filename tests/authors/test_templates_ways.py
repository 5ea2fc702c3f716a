"""In which order the ``templates`` authors propose, by what the judge said of the attempts before."""

from collections.abc import Callable, Sequence

import pytest
import torch
from authors_kit import CORRECT, attempts, task
from torch import nn

from kernelwright import problems
from kernelwright.authors import get, replaying
from kernelwright.authors.author import AuthorError
from kernelwright.authors.replaying import REPLAYED
from kernelwright.authors.templates import convolutions, products, scans
from kernelwright.authors.templates.author import SURE
from kernelwright.authors.templates.catalogue import TEMPLATES
from kernelwright.authors.templates.ways import Way, next_way
from kernelwright.schema import Attempt, Candidate, Interval, Problem, Speedup, Status, Verdict

MISMATCH = Verdict(status=Status.MISMATCH)
FAILED = Verdict(status=Status.COMPILE_FAILED)
AS_IT_IS, REPLAY = Way(), Way(replayed=True)


def timed(ratio: float) -> Verdict:
    """Correct, and so much faster than eager, to one percent."""
    interval = Interval(median=ratio, low=0.99 * ratio, high=1.01 * ratio)
    return Verdict(status=Status.CORRECT, speedup=Speedup(eager=interval))


def ways(*verdicts: Verdict) -> list[Way | None]:
    """The first way, and the one after each of these verdicts."""
    written = Candidate(source="class ModelNew: ...", author="templates")
    history = [*(attempts("templates", written, verdict=verdict)[0] for verdict in verdicts)]
    history = [attempt.model_copy(update={"number": k + 1}) for k, attempt in enumerate(history)]
    return [next_way(history[:k]) for k in range(len(history) + 1)]


@pytest.mark.parametrize(
    ("verdicts", "replayed"),
    [
        ((timed(1.5), timed(2.0)), True),
        ((timed(1.5), timed(1.2)), False),
        ((timed(1.5), timed(1.51)), False),
        ((FAILED, timed(0.5)), True),
        ((timed(0.5), FAILED), False),
        ((FAILED, FAILED), False),
        ((CORRECT, CORRECT), False),
    ],
)
def test_the_sure_templates_alone_come_last_in_the_better_way(verdicts: Sequence[Verdict], replayed: bool) -> None:
    last = Way(replayed, sure=True)
    assert ways(*verdicts, CORRECT) == [AS_IT_IS, REPLAY, last, None]


def test_what_is_inexact_is_tried_without_convolutions_in_float16_and_so_is_the_rest() -> None:
    found = ways(MISMATCH, timed(1.0), timed(2.0), timed(1.0))
    assert found == [AS_IT_IS, Way(False, False), Way(True, False), Way(True, False, sure=True), None]
    found = ways(timed(2.0), MISMATCH, timed(1.0))
    assert found == [AS_IT_IS, REPLAY, Way(True, False), Way(False, False, sure=True)]
    found = ways(timed(1.0), timed(2.0), MISMATCH, CORRECT)
    assert found == [AS_IT_IS, REPLAY, Way(True, sure=True), Way(True, False, sure=True), None]


def test_what_is_inexact_even_so_leaves_the_sure_templates() -> None:
    assert ways(MISMATCH, MISMATCH, MISMATCH) == [AS_IT_IS, Way(False, False), Way(False, False, sure=True), None]
    assert ways(timed(1.0), timed(1.5), MISMATCH, MISMATCH)[-1] is None


def test_an_exact_reference_is_not_tried_with_convolutions_in_float16() -> None:
    history = attempts("templates", Candidate(source="class ModelNew: ...", author="templates"), verdict=MISMATCH)
    assert next_way([], halves=False) == Way(halves=False)
    assert next_way(history, halves=False) == Way(halves=False, sure=True)


def test_what_has_large_inputs_is_not_replayed() -> None:
    history = attempts("templates", Candidate(source="class ModelNew: ...", author="templates"), verdict=timed(1.5))
    assert next_way([], replays=False) == AS_IT_IS
    assert next_way(history, replays=False) == Way(sure=True)


class Scanned(nn.Module):
    """A product, a convolution and a running sum."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 208)
        self.layer = nn.Conv1d(20, 24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.linear(x)).cumsum(2)


class Product(Scanned):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).cumsum(0)


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for template, name in ((products, "FEWEST_FLOPS"), (convolutions, "FEWEST_FLOPS"), (scans, "FEWEST_ELEMENTS")):
        monkeypatch.setattr(template, name, 1)


def proposed(module: Callable[[], nn.Module], verdicts: Sequence[Verdict]) -> list[Candidate | None]:
    """What the author proposes at first, and after each of these verdicts."""
    torch.manual_seed(0)
    problem: Problem = problems.from_module(module(), (torch.randn(80, 20, 192),))
    history: list[Attempt] = []
    found: list[Candidate | None] = []
    for number, verdict in enumerate((*verdicts, None), start=1):
        candidate = get("templates").propose(task(problem, "cuda"), history)
        found.append(candidate)
        if verdict is not None:
            assert candidate is not None
            one = attempts("templates", candidate, verdict=verdict)[0]
            history.append(one.model_copy(update={"number": number}))
    return found


def test_a_file_with_the_sure_templates_alone() -> None:
    first, second, third, none = proposed(Scanned, (timed(1.0), timed(1.5), CORRECT))
    assert first is not None and second is not None and third is not None and none is None
    assert first.title == "half convolutions and split products and scans"
    assert second.title == f"{first.title}, {REPLAYED}"
    assert third.title == f"only half convolutions and split products, {REPLAYED}"
    assert "scan_1(" in first.source and "scan_1(" not in third.source and ".cumsum(" in third.source
    assert "product_1(" in third.source and "replayed(" in third.source


def test_a_file_with_the_sure_templates_alone_goes_on_without_what_is_inexact() -> None:
    *_, third, last, none = proposed(Scanned, (timed(1.5), timed(1.0), MISMATCH, CORRECT))
    assert third is not None and last is not None and none is None
    assert (third.title, last.title) == ("only half convolutions and split products", "only split products")
    assert "_half_filters" in third.source and "_half_filters" not in last.source


def test_inputs_that_take_long_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MOST_COPIED", 4 * 80 * 20 * 192)
    assert REPLAYED in (proposed(Scanned, (timed(1.5),))[1] or Candidate(source="", author="")).title
    monkeypatch.setattr(replaying, "MOST_COPIED", 4 * 80 * 20 * 192 - 1)
    second = proposed(Scanned, (timed(1.5),))[1]
    assert second is not None
    assert second.title == "only half convolutions and split products"


def test_where_there_are_no_others_the_sure_templates_were_alone_before() -> None:
    first, second, none = proposed(Product, (timed(1.5), timed(1.0)))
    assert first is not None and second is not None and none is None
    assert first.title == "split products"


def test_the_sure_templates_are_in_the_catalogue() -> None:
    assert {template.title for template in TEMPLATES} > SURE


class Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(4, 4)


def test_what_stood_in_the_way_once_is_not_tried_again() -> None:
    of = task(problems.from_module(Noisy(), [torch.randn(4, 4)]), "cuda")
    author = get("rewriter+templates")
    with pytest.raises(AuthorError, match="draws random numbers"):
        author.propose(of, [])
    assert author.propose(of, attempts("rewriter+templates", None, verdict=FAILED)) is None
