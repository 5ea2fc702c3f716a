"""One-pass reductions of the author ``templates``: which work their kernels take along, and what they compute."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import prod
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from templates_kit import Answers, Case, Limits, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import reductions, rows
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.losses import seen_through

Function = Callable[..., torch.Tensor]


class Reduced(nn.Module):
    """A module from a function of (self, inputs …), with what normalisations of 24 channels need."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.randn(24))
        self.shift = nn.Parameter(torch.randn(24))
        self.channels = nn.Parameter(torch.randn(24, 1, 1))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


IMAGES = (2, 24, 5, 3)
ROWS = (4, 301)
CASES: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "softmax": (lambda m, x: x.softmax(1), (ROWS,)),
    "softmax across": (lambda m, x: torch.relu((x * 2.0).softmax(1) - m.channels), (IMAGES,)),
    "log_softmax": (lambda m, x: x.log_softmax(-1), (ROWS,)),
    "log_softmax across": (lambda m, x: x.log_softmax(1), (IMAGES,)),
    "logsumexp": (lambda m, x: torch.relu(x.logsumexp(1)) + 1.0, (ROWS,)),
    "logsumexp across": (lambda m, x: (x - m.channels).logsumexp(1, keepdim=True), (IMAGES,)),
    "sum": (lambda m, x: (x * m.channels).sum(1, keepdim=True), (IMAGES,)),
    "sum of everything": (lambda m, x: x.abs().sum(), (ROWS,)),
    "mean over several axes": (lambda m, x: x.mean((2, 3), keepdim=True) + m.channels, (IMAGES,)),
    "mean of losses": (lambda m, x, y: ((x - y) ** 2).mean(), ((20, 30), (20, 30))),
    "hinge": (lambda m, x, y: (1.0 - x * y).clamp(min=0.0).mean(), ((20, 30), (30,))),
    "amax": (lambda m, x: x.amax(1), (IMAGES,)),
    "amin": (lambda m, x: (x + 1.0).amin(1) * 0.5, (ROWS,)),
    "layer_norm": (lambda m, x: F.layer_norm(x + 8.0, (24,), m.scale, m.shift), ((9, 24),)),
    "layer_norm of several axes": (lambda m, x: F.layer_norm(x, x.shape[1:]), (IMAGES,)),
    "group_norm": (lambda m, x: torch.relu(F.group_norm(x.abs() + 9.0, 4, m.scale, m.shift)), (IMAGES,)),
    "group_norm of vectors": (lambda m, x: F.group_norm(x, 3, m.scale, m.shift), ((4, 24),)),
    "instance_norm": (lambda m, x: F.instance_norm(x * 3.0) * x, (IMAGES,)),
    "rms norm": (lambda m, x: x / torch.sqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-5), (IMAGES,)),
    "rms norm of rows": (lambda m, x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * m.scale, ((9, 24),)),
    "frobenius": (lambda m, x: x / torch.norm(x, p="fro"), (IMAGES,)),
    "l1": (lambda m, x: x / x.abs().mean(dim=1, keepdim=True), (ROWS,)),
    "l1 norm of the first axis": (lambda m, x: torch.linalg.vector_norm(x, 1, dim=0), ((20, 30),)),
    "l1 norm": (lambda m, x: torch.linalg.vector_norm(x, 1, dim=(2, 3)), (IMAGES,)),
    "l2": (lambda m, x: x / torch.norm(x, p=2, dim=1, keepdim=True), (ROWS,)),
    "huber": (lambda m, x, y: F.smooth_l1_loss(x, y * 2.0) + 1.0, ((20, 30), (20, 30))),
    "smooth l1": (lambda m, x, y: F.smooth_l1_loss(x, y, beta=0.5, reduction="sum"), ((20, 30), (20, 30))),
    "huber of a width": (lambda m, x, y: F.huber_loss(x, y, delta=0.7), ((20, 30), (20, 30))),
    "mse": (lambda m, x, y: F.mse_loss(x, y), ((20, 30), (20, 30))),
    "divergence": (
        lambda m, x, y: F.kl_div(x.sigmoid().log(), torch.relu(y), reduction="batchmean"),
        ((20, 30), (20, 30)),
    ),
    "centred": (lambda m, x: (y := torch.relu(x)) - y.mean(1, keepdim=True), (ROWS,)),
}
ANY = [(reductions, "FEWEST_ELEMENTS", 1)]
CUTS: dict[str, Limits] = {
    "kept": ANY,
    "looped": [*ANY, (rows, "KEPT", 2), (rows, "STEP", 128), (rows, "BESIDE", 16), (rows, "FILLS", 1)],
    "in parts": [*ANY, (rows, "KEPT", 2), (rows, "STEP", 128), (rows, "BESIDE", 16), (rows, "FILLS", 10_000)],
}


LONG = (
    "softmax", "log_softmax across", "logsumexp", "sum", "mean of losses", "amin", "group_norm",
    "layer_norm of several axes", "rms norm", "frobenius",
)  # fmt: skip
TRIED = [*((name, "kept") for name in CASES), *((name, how) for how in ("looped", "in parts") for name in LONG)]


@cache
def made(name: str) -> Case:
    torch.manual_seed(0)
    function, shapes = CASES[name]
    return Case.of(Reduced(function), [torch.randn(shape) for shape in shapes], ANY)


SPOILT = ("softmax", "log_softmax", "logsumexp", "amin", "l2")


def spoilt(name: str) -> Case:
    """Rows with a NaN, an infinity, another one, and nothing but minus infinity."""
    x = torch.randn(ROWS)
    for row, value in enumerate((float("nan"), float("inf"), float("-inf"))):
        x[row, 90 * row + 3] = value
    x[3] = float("-inf")
    return replace(made(name), inputs=[x])


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    cases = {f"{name} {how}": replace(made(name), limits=CUTS[how]) for name, how in TRIED}
    for name in SPOILT:
        cases |= {f"spoilt {name} {how}": replace(spoilt(name), limits=CUTS[how]) for how in ("kept", "in parts")}
    return interpreted(tmp_path_factory.mktemp("reductions"), cases)


@pytest.mark.parametrize(("name", "how"), TRIED)
def test_reductions_are_as_exact_as_eager(name: str, how: str, answers: Answers) -> None:
    answer, eager, exact = answers[f"{name} {how}"]
    assert answer.shape == eager.shape and answer.dtype is torch.float32
    assert error(answer, exact) <= max(2 * error(eager, exact), torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("how", ["kept", "in parts"])
@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_finite_is_as_eager_has_it(name: str, how: str, answers: Answers) -> None:
    answer, eager, _ = answers[f"spoilt {name} {how}"]
    torch.testing.assert_close(answer, eager, equal_nan=True)


def graph_of(function: Function, *shapes: tuple[int, ...]) -> Graph:
    return capture(Reduced(function), [torch.randn(shape) for shape in shapes]).graph


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for template, name, value in ANY:
        monkeypatch.setattr(template, name, value)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("name", CASES)
def test_all_of_a_case_is_one_call(name: str) -> None:
    graph = seen_through(made(name).captured.graph)
    placed, _ = reductions.place(graph, reductions.find(graph))
    assert [node.op for node in placed.nodes if node.op not in ("input", "weight", "const")] == ["call"]


@pytest.mark.usefixtures("any_size")
def test_what_somebody_else_sees_is_computed_once() -> None:
    def seen(m: Reduced, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.exp(x)
        return torch.relu(y).softmax(1), y

    (found,) = reductions.find(graph := graph_of(seen, (30, 40)))
    assert [graph.nodes[p].op for p in found.before] == ["relu"]

    def both(m: Reduced, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = x.mean(1, keepdim=True)
        return x - mean, mean

    (found,) = reductions.find(graph := graph_of(both, (30, 40)))
    assert (found.result, found.whole) == (found.node, False)


@pytest.mark.usefixtures("any_size")
def test_one_reduction_after_another() -> None:
    """Each value is in one kernel, and a kernel reads what another stores."""
    graph = graph_of(lambda m, x: torch.relu(F.group_norm(x, 4) * 2.0).mean((1, 2, 3)) + 1.0, IMAGES)
    first, second = reductions.find(graph)
    inside = [{f.node, *f.before, *f.middle, *f.after} for f in (first, second)]
    assert inside[0].isdisjoint(inside[1])
    placed, _ = reductions.place(graph, [first, second])
    assert [n.attr["function"] for n in placed.nodes if n.op == "call"] == ["reduction_1", "reduction_2"]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x.double().softmax(1),
        lambda m, x: x.half().sum(1),
        lambda m, x: x.sum((0, 2)),
        lambda m, x: torch.linalg.vector_norm(x, 3, dim=1),
        lambda m, x: torch.linalg.vector_norm(x, 2, dim=1, dtype=torch.float64),
        lambda m, x: x.max(1).indices,
        lambda m, x: m.scale.softmax(0) + x[0, :, :1, 0].T,
        lambda m, x: x[:, :1].sum(1),
        lambda m, x: F.mse_loss(x, x * 2.0, reduction="none"),
        lambda m, x: F.kl_div(x, x, log_target=True),
    ],
)
def test_others_are_left_alone(function: Function) -> None:
    assert reductions.find(graph_of(function, IMAGES)) == []


@pytest.mark.usefixtures("any_size")
def test_a_value_without_the_axis_broadcasts_along_another() -> None:
    """(8,) beside (8, 8) is a row, although it has a value for each row."""
    (found,) = reductions.find(graph_of(lambda m, x: x - x.sum(1), (8, 8)))
    assert not found.whole and found.result == found.node


def test_small_ones_are_left_alone() -> None:
    assert reductions.find(graph_of(lambda m, x: x.softmax(1), (1023, 1024))) == []
    assert len(reductions.find(graph_of(lambda m, x: x.softmax(1), (1024, 1024)))) == 1


@given(
    st.lists(st.integers(1, 6), max_size=3),
    st.lists(st.integers(1, 6), min_size=1, max_size=2),
    st.lists(st.integers(1, 6), max_size=2),
    st.data(),
)
def test_operands_are_read_where_they_broadcast(
    outer: list[int], length: list[int], inner: list[int], data: st.DataObject
) -> None:
    whole = [*outer, *length, *inner]
    shape = [n if data.draw(st.booleans()) else 1 for n in whole]
    load = rows.Rows(tuple(outer), tuple(length), tuple(inner)).reads(shape, "p")
    assert load is not None
    operand = torch.arange(prod(shape)).reshape(shape)
    grid = torch.meshgrid(*(torch.arange(max(prod(axes), 1)) for axes in (outer, length, inner)), indexing="ij")
    offset = load.removeprefix("tl.load(p").removesuffix(")").split(", mask")[0].removeprefix(" + ") or "0"
    for k, name in enumerate(("outer[:, None]", "r[None, :]", "inner[:, None]")):
        offset = offset.replace(name, f"grid[{k}]")
    hints = SimpleNamespace(max_contiguous=lambda x, _: x, multiple_of=lambda x, _: x)
    found = torch.as_tensor(eval(offset, {"grid": grid, "tl": hints, "BLOCK": 1})).expand(grid[0].shape)
    assert torch.equal(found.reshape(whole), operand.expand(whole))


@given(
    st.integers(1, 1 << 16), st.integers(2, 1 << 22), st.integers(1, 1 << 12), st.integers(1, 4), st.booleans()
)  # fmt: skip
def test_cuts_cover_and_fit(outer: int, length: int, inner: int, operands: int, result: bool) -> None:
    made = rows.cut(rows.Rows((outer,), (length,), (inner,)), operands, result=result)
    assert all(n & (n - 1) == 0 for n in (made.lanes, made.block, made.warps))
    assert not made.kept or (made.block >= length and made.lanes * made.block * operands <= max(rows.KEPT, rows.STEP))
    assert made.lanes * made.block <= rows.KEPT and 4 <= made.warps <= 32
    if made.parts > 1:
        assert (made.parts - 1) * made.part < length <= made.parts * made.part
        assert made.part % made.block == 0
        assert made.lanes * rows.power_of_two(made.parts) <= 2 * rows.MOST_JOINED


@pytest.mark.parametrize("name", ["softmax", "group_norm", "amin"])
def test_files_name_what_they_need(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reductions, "FEWEST_ELEMENTS", 1)
    captured = made(name).captured
    written = write(Form(captured, captured.graph))
    assert written is not None
    assert ("import libdevice" in written.source) == (name == "softmax")
    assert "_statistics" not in written.source and "x_pointer" not in written.source
