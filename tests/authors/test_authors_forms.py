"""A problem's graph and its rewritten forms are made once, for all authors that ask and in whatever thread they do."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from authors_kit import everything, task
from torch import nn

from kernelwright import problems
from kernelwright.authors import AuthorError, forms
from kernelwright.authors.graph import capture as capturing
from kernelwright.authors.rewriter import process
from kernelwright.schema import Problem

Count = Counter[str]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Count:
    """How often something was captured, and rewritten; nothing is known from before."""
    count: Count = Counter()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            count[function.__name__] += 1
            return function(*args)

        return call

    monkeypatch.setattr(capturing, "capture_problem", counted(capturing.capture_problem))
    monkeypatch.setattr(process, "rewrite_in_child", counted(process.rewrite_in_child))
    monkeypatch.setattr(forms, "_CAPTURED", forms.Once(forms.MOST_CAPTURED))
    monkeypatch.setattr(forms, "_REWRITTEN", forms.Once(forms.MOST_REWRITTEN))
    return count


class RowSum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 32)

    def forward(self, x: torch.Tensor, parts: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"total": (self.linear(x) * 2.0).sum(1) + parts[0]}


def row_sum() -> Problem:
    return problems.from_module(RowSum(), (torch.randn(8, 64), [torch.randn(8)]))


def test_all_authors_share_one_capture_and_one_rewriting_for_each_set_of_rules(made: Count) -> None:
    problem = row_sum()
    names = ("rewriter", "inductor", "rewriter+inductor", "templates", "rewriter+templates")
    written = {name: everything(name, task(problem, "cuda")) for name in names}
    assert len(written["rewriter"]) == 2 and len(written["inductor"]) == 3
    assert made == {"capture_problem": 1, "rewrite_in_child": 2}
    everything("rewriter", task(problem))
    assert made == {"capture_problem": 1, "rewrite_in_child": 4}


def test_what_one_author_does_to_its_copy_is_not_seen_by_the_next(made: Count) -> None:
    problem = row_sum()
    first = forms.captured(problem)
    first.interface.output.clear()
    first.constants["more"] = torch.zeros(1)
    second = forms.captured(problem)
    assert list(second.interface.output) == ["total"] and second.constants == {} and second.program is None
    assert second.graph is first.graph and made["capture_problem"] == 1


def test_who_asks_for_what_is_being_made_waits_for_it() -> None:
    once: forms.Once[str] = forms.Once(4)
    began, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    def slow() -> str:
        calls.append("slow")
        began.set()
        assert go_on.wait(10)
        return "made"

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(once.get, "a", slow)
        assert began.wait(10)
        second = pool.submit(once.get, "a", slow)
        assert pool.submit(once.get, "b", lambda: "other").result(10) == "other"
        go_on.set()
        assert (first.result(10), second.result(10), calls) == ("made", "made", ["slow"])


def test_a_refusal_is_remembered_and_any_other_error_is_not() -> None:
    once: forms.Once[str] = forms.Once(4)
    calls: Count = Counter()

    def refuse() -> str:
        calls["refused"] += 1
        raise AuthorError("cannot be captured")

    def fail() -> str:
        calls["failed"] += 1
        raise RuntimeError("out of memory")

    errors: list[AuthorError] = []
    for _ in range(2):
        with pytest.raises(AuthorError, match=r"^cannot be captured$") as caught:
            once.get("a", refuse)
        errors.append(caught.value)
        with pytest.raises(RuntimeError, match="out of memory"):
            once.get("b", fail)
    assert errors[0] is not errors[1] and calls == {"refused": 1, "failed": 2}
    assert once.get("b", lambda: "made after all") == "made after all"


def test_the_answers_asked_for_last_are_kept() -> None:
    once: forms.Once[int] = forms.Once(2)
    for key in ("a", "b", "a", "c"):
        once.get(key, lambda: 1)
    assert [once.get(key, lambda: 2) for key in ("a", "c", "b")] == [1, 1, 2]


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


def test_authors_refuse_with_the_same_words_each_time(made: Count) -> None:
    problem = problems.from_module(Random(), (torch.randn(3),))
    for name in ("rewriter", "rewriter+templates", "rewriter+inductor"):
        with pytest.raises(AuthorError, match=r"^the module draws random numbers$"):
            everything(name, task(problem, "cuda"))
    assert made == {"capture_problem": 1}
