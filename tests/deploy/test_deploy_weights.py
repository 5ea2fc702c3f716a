"""The stand-in shares the original's weights, and notices when they change."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Optimize = Callable[..., Any]


def test_state_and_parameters_are_the_originals(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    assert list(optimized.state_dict()) == list(net.state_dict())
    assert [id(p) for p in optimized.parameters()] == [id(p) for p in net.parameters()]
    assert [name for name, _ in optimized.named_modules()] == [name for name, _ in net.named_modules()]
    assert optimized.first is net.first
    assert optimized.scale == 1.0
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = optimized.nothing_of_that_name


def _step(module: nn.Module) -> None:
    with torch.enable_grad():
        optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
        module(torch.randn(3, 4)).sum().backward()
        optimizer.step()


CHANGES: dict[str, Callable[[Any], object]] = {
    "in place": lambda m: m.first.weight.mul_(2),
    "buffer": lambda m: m.norm.running_mean.add_(1),
    "replaced": lambda m: setattr(m.first, "weight", nn.Parameter(torch.randn(8, 4))),
    "data": lambda m: setattr(m.first.weight, "data", torch.randn(8, 4)),
    "loaded": lambda m: m.load_state_dict(
        {k: v + 1 if v.is_floating_point() else v for k, v in m.state_dict().items()}
    ),
    "optimizer": _step,
}


@torch.no_grad()
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("through", ["original", "stand-in"])
def test_changed_weights_reach_the_winner(
    net: nn.Module, x: torch.Tensor, optimized_by: Optimize, change: str, through: str
) -> None:
    optimized = optimized_by(net, x)
    before = optimized(x)
    CHANGES[change](net if through == "original" else optimized)
    winners = optimized.calls.winner
    after = optimized(x)
    assert optimized.calls.winner == winners + 1
    torch.testing.assert_close(after, net(x))
    assert not torch.equal(before, after)


@torch.no_grad()
def test_a_silent_change_needs_reload(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    optimized(x)
    net.first.weight.data.mul_(3)
    optimized.reload()
    torch.testing.assert_close(optimized(x), net(x))
    assert optimized.calls.original == 0


REPLACED: dict[str, tuple[Callable[[Any], object], str]] = {
    "constant": (lambda m: setattr(m, "scale", 2.0), "scale changed"),
    "part": (lambda m: setattr(m, "norm", nn.Identity()), "a part of the module was replaced"),
    "parameter": (lambda m: m.register_parameter("more", nn.Parameter(torch.zeros(1))), "was added or removed"),
    "forward": (lambda m: setattr(m.first, "forward", lambda x: x @ torch.ones(4, 8)), "forward"),
    "hook": (lambda m: m.first.register_forward_hook(lambda *_: torch.zeros(3, 8)), "first has forward hooks"),
    "eps": (lambda m: setattr(m.norm, "eps", 1.0), "norm.eps changed"),
}


@torch.no_grad()
@pytest.mark.parametrize("change", REPLACED)
def test_any_other_change_goes_to_the_original(
    net: nn.Module, x: torch.Tensor, optimized_by: Optimize, change: str
) -> None:
    optimized = optimized_by(net, x)
    optimized(x)
    act, said = REPLACED[change]
    act(optimized if change == "constant" else net)
    torch.testing.assert_close(optimized(x), net(x))
    assert (optimized.calls.winner, optimized.calls.original) == (1, 1)
    assert said in optimized.calls.last_reason


@torch.no_grad()
def test_another_dtype_goes_to_the_original(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    optimized = optimized_by(net, x)
    optimized(x)
    assert optimized.double() is optimized
    assert net.first.weight.dtype is torch.float64
    assert optimized(x.double()).dtype is torch.float64
    assert "another shape, dtype or device" in optimized.calls.last_reason


@torch.no_grad()
@pytest.mark.parametrize("kind", ["deepcopy", "pickle", "torch.save"])
def test_copies_stand_on_their_own(net: nn.Module, x: torch.Tensor, optimized_by: Optimize, kind: str) -> None:
    optimized = optimized_by(net, x)
    expected = optimized(x)
    if kind == "deepcopy":
        other = copy.deepcopy(optimized)
    elif kind == "pickle":
        other = pickle.loads(pickle.dumps(optimized))
    else:
        buffer = io.BytesIO()
        torch.save(optimized, buffer)
        buffer.seek(0)
        other = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(other(x), expected)
    assert (other.calls.winner, other.calls.original) == (1, 0)
    other.first.weight.zero_()
    assert float(net.first.weight.abs().sum()) > 0
    torch.testing.assert_close(optimized(x), expected)


@torch.no_grad()
def test_it_works_as_a_part_of_a_larger_module(net: nn.Module, x: torch.Tensor, optimized_by: Optimize) -> None:
    plain = nn.Sequential(copy.deepcopy(net), nn.Linear(8, 2)).eval()
    whole = nn.Sequential(optimized_by(net, x), plain[1]).eval()
    assert list(whole.state_dict()) == list(plain.state_dict())
    state = {key: value + 1 if value.is_floating_point() else value for key, value in plain.state_dict().items()}
    assert whole.load_state_dict(state).missing_keys == []
    plain.load_state_dict(state)
    torch.testing.assert_close(whole(x), plain(x))
    assert whole[0].calls.winner == 1
    whole.train()
    assert net.norm.training


def test_weights_without_versions(x: torch.Tensor, optimized_by: Optimize) -> None:
    with torch.inference_mode():
        module = nn.Linear(4, 8).eval()
        source = "from torch import nn\nclass ModelNew(nn.Linear):\n    def __init__(self): super().__init__(4, 8)\n"
        optimized = optimized_by(module, torch.randn(3, 4), source=source)
        torch.testing.assert_close(optimized(x.clone()), module(x))
        assert optimized.calls.winner == 1
