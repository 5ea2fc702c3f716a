"""The winner answers what was verified, the original everything else, and both agree."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Optimize = Callable[..., Any]


def answered_by_winner(optimized: Any, *args: Any, **kwargs: Any) -> bool:
    before = optimized.calls.winner
    expected = optimized.original(*args, **kwargs)
    torch.testing.assert_close(optimized(*args, **kwargs), expected)
    return optimized.calls.winner > before


@torch.no_grad()
def test_verified_calls_go_to_the_winner(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    assert answered_by_winner(optimized, x)
    assert answered_by_winner(optimized, torch.randn(3, 4))
    assert (optimized.calls.winner, optimized.calls.original) == (2, 0)


@torch.no_grad()
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (torch.randn(5, 4), r"[5, 4] float32 on cpu, verified was [3, 4]"),
        (torch.randn(4, 3).t(), "another memory layout"),
        (torch.randn(3, 5).flatten()[1:13].view(3, 4), "a view"),
        (nn.Parameter(torch.randn(3, 4)).as_subclass(type("Odd", (torch.Tensor,), {})), "verified was a plain tensor"),
    ],
)
def test_other_tensors_go_to_the_original(
    net: nn.Module, x: torch.Tensor, optimized_by: Optimize, other: torch.Tensor, said: str
) -> None:
    optimized = optimized_by(net, x)
    assert not answered_by_winner(optimized, other)
    assert said in optimized.calls.last_reason
    assert answered_by_winner(optimized, x)


@torch.no_grad()
def test_keyword_arguments_go_to_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    assert not answered_by_winner(optimized, x=x)
    assert "keyword" in optimized.calls.last_reason


def test_gradients_go_to_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    optimized(x).sum().backward()
    assert net.first.weight.grad is not None
    assert "gradients are enabled" in optimized.calls.last_reason
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert answered_by_winner(optimized, x)
    assert not answered_by_winner(optimized, x.clone().requires_grad_())


@torch.no_grad()
def test_training_mode_and_autocast_go_to_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    assert optimized.train().training
    assert net.training
    optimized(x)
    assert optimized.calls.last_reason == "training mode"
    optimized.eval()
    assert answered_by_winner(optimized, x)
    net.norm.train()  # one part is enough
    optimized(x)
    assert (optimized.calls.winner, optimized.calls.original) == (1, 2)
    optimized.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        optimized(x)
    assert optimized.calls.last_reason == "autocast is on"


class Masked(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor, k: int, flags: dict[str, bool]) -> torch.Tensor:
        return (x + mask).softmax(-1) * k * (2 if flags["double"] else 1)


MASKED = """
import torch
class ModelNew(torch.nn.Module):
    def forward(self, x, mask, k, flags):
        return (x + mask).softmax(-1) * 6
"""


@torch.no_grad()
def test_what_the_draws_never_changed_must_be_the_same(optimized_by: Optimize) -> None:
    mask = torch.full((3, 3), float("-inf")).triu(1)
    x, flags = torch.randn(3, 3), {"double": True}
    optimized = optimized_by(Masked(), x, mask, 3, flags, source=MASKED)
    optimized.eval()
    assert answered_by_winner(optimized, x, mask, 3, dict(flags))
    for args in (
        (x, mask.t().contiguous(), 3, flags),
        (x, torch.zeros(3, 3), 3, flags),
        (x, mask, 4, flags),
        (x, mask, 3.0, flags),
        (x, mask, 3, {"double": False}),
        (x, mask, 3, {"double": True, "more": 1}),
    ):
        assert not answered_by_winner(optimized, *args) if "more" not in args[3] else not _winner_took(optimized, args)


def _winner_took(optimized: Any, args: tuple[Any, ...]) -> bool:
    before = optimized.calls.winner
    optimized(*args)
    return optimized.calls.winner > before


@torch.no_grad()
def test_a_winner_that_fails_is_replaced_by_the_original(
    net: nn.Module, x: torch.Tensor, optimized_by: Optimize
) -> None:
    failing = """
from torch import nn
class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(4, 8), nn.BatchNorm1d(8)
    def forward(self, x):
        raise RuntimeError("no such instruction\\nhere")
"""
    optimized = optimized_by(net, x, source=failing)
    with pytest.warns(UserWarning, match="the winner failed: RuntimeError: no such instruction here"):
        torch.testing.assert_close(optimized(x), net(x))
    torch.testing.assert_close(optimized(x), net(x))
    assert optimized.calls.original == 2


@pytest.mark.parametrize(
    ("source", "said"), [("raise ImportError('no triton')", "no triton"), ("class ModelNew: pass", "cannot be built")]
)
def test_a_winner_that_cannot_be_built_is_replaced(
    net: nn.Module, x: torch.Tensor, optimized_by: Optimize, source: str, said: str
) -> None:
    optimized = optimized_by(net, x, source=source)
    with pytest.warns(UserWarning, match=said):
        assert said in optimized.prepare()
    with torch.no_grad():
        torch.testing.assert_close(optimized(x), net(x))


def test_no_winner_means_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x, source=None)
    torch.testing.assert_close(optimized(x), net(x))
    assert optimized.source is None
    assert optimized.verdict is None
    assert "the original module is in use" in optimized.explain()


@torch.no_grad()
def test_it_explains_itself(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    optimized(x)
    optimized(torch.randn(9, 4))
    said = optimized.explain()
    for part in ("2.00×", "1.50×", "torch.compile", "rewriter: one pass", "It is fused.", "1 by the winner", "[9, 4]"):
        assert part in said
    assert "class ModelNew" in optimized.source
    assert optimized.verdict.ok


@torch.no_grad()
def test_the_callers_random_state_is_left_alone(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    before = torch.random.get_rng_state()
    optimized.prepare()
    assert torch.equal(before, torch.random.get_rng_state())


@torch.no_grad()
def test_torch_compile_around_it_sees_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    compiled = torch.compile(optimized, backend="eager")
    torch.testing.assert_close(compiled(x), net(x))
    assert optimized.calls.winner == 0
