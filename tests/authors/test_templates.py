"""Author ``templates``: where kernels are put, what their text says, and that it computes the right thing.

Triton's interpreter runs the kernels on the CPU here, in processes of their own; what needs libdevice runs on a GPU.
"""

import ast
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.ir import Graph, Node, attributes
from kernelwright.authors.templates import convolutions, half_layers, products
from kernelwright.authors.templates.author import Form, write
from kernelwright.authors.templates.kernels.weights import high_part, low_part, row_unit
from kernelwright.authors.templates.tiles import (
    Shape,
    blocks,
    tile_for,
)


class Module(nn.Module):
    """A module from a function of (self, inputs …), with a linear layer and two vectors."""

    def __init__(self, function: Callable[..., torch.Tensor], inner: int = 192, outer: int = 208) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(inner, outer)
        self.scale = nn.Parameter(torch.randn(outer))
        self.rows = nn.Parameter(torch.randn(80, 1))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[tuple[int, ...], ...]]] = {
    "linear and what follows": (
        lambda m, x: torch.clamp(torch.relu(m.linear(x) * m.scale + m.rows) - 0.25, max=1.5),
        ((80, 192),),
    ),
    "a value used twice": (lambda m, x: (y := m.linear(x)) * torch.relu(y) + y.abs(), ((80, 192),)),
    "two products": (lambda m, x: torch.relu(m.linear(x) + m.linear(x * 2.0)), ((80, 192),)),
    "a residual": (lambda m, x: torch.maximum(m.linear(x), x[:, :1]), ((80, 192),)),
    "matrices": (lambda m, a, b: a @ b, ((96, 160), (160, 112))),
    "both turned": (lambda m, a, b: a.T @ b.T, ((160, 96), (112, 160))),
    "batches": (lambda m, a, b: -torch.matmul(a, b), ((3, 70, 100), (3, 100, 90))),
    "a batch of turned matrices": (lambda m, a, b: a @ b.transpose(1, 2), ((3, 70, 100), (3, 90, 100))),
    "one matrix for a batch": (lambda m, a, b: a @ b, ((3, 70, 100), (100, 90))),
    "a depth that no step divides": (lambda m, a, b: a @ b, ((33, 77), (77, 45))),
    "a depth that wide loads fit": (lambda m, a, b: a @ b, ((33, 80), (80, 45))),
    "turned, and no wide load fits": (lambda m, a, b: torch.relu(a.mT @ b.mT), ((2, 77, 33), (2, 45, 77))),
    "a batch by one matrix, and no wide load fits": (lambda m, a, b: a @ b, ((2, 33, 77), (77, 45))),
    "a linear layer, and no wide load fits": (
        lambda m, x: nn.functional.linear(x, m.linear.weight[:, :77], m.linear.bias),
        ((33, 77),),
    ),
    "a long depth, cut": (lambda m, a, b: torch.relu(a @ b), ((32, 8192), (8192, 32))),
}


class Convolved(nn.Module):
    """A convolution with what follows it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.shift = nn.Parameter(torch.randn(1, 24, *(1,) * (layer.weight.dim() - 2)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(x)) * 0.5 - self.shift


CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "1d": (lambda: nn.Conv1d(20, 24, 5, stride=2, dilation=2), (3, 20, 150)),
    "2d": (lambda: nn.Conv2d(20, 24, (3, 5), padding=(1, 2), bias=False), (2, 20, 17, 19)),
    "3d": (lambda: nn.Conv3d(5, 24, 3), (2, 5, 7, 8, 9)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(20, 24, 4, stride=2, padding=1), (2, 20, 33)),
    "transposed 2d": (lambda: nn.ConvTranspose2d(20, 24, 3, stride=2, output_padding=1), (2, 20, 9, 11)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(5, 24, 3), (2, 5, 4, 5, 6)),
}


LIMITS = [(template, "FEWEST_FLOPS", 1) for template in (products, convolutions)]


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that the interpreter can do."""
    for template, name, value in LIMITS:
        monkeypatch.setattr(template, name, value)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases = {
        name: Case.of(Module(function), [torch.randn(shape) * 3.0**k for k, shape in enumerate(shapes)], LIMITS)
        for name, (function, shapes) in CASES.items()
    }
    return interpreted(tmp_path_factory.mktemp("products"), cases)


@pytest.fixture(scope="module")
def convolved(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases = {
        name: Case.of(Convolved(make()), [1e4 * torch.randn(shape)], LIMITS)
        for name, (make, shape) in CONVOLUTIONS.items()
    }
    return interpreted(tmp_path_factory.mktemp("convolutions"), cases)


SWITCHES = ("upper", "left", "result", "mask")
TRIANGLES = {
    "upper, all known": (torch.triu, torch.triu, {"upper": True, "left": True, "result": True, "mask": False}),
    "lower, all known": (torch.tril, torch.tril, {"upper": False, "left": True, "result": True, "mask": False}),
    "lower times any": (torch.tril, torch.clone, {"upper": False, "left": True, "result": False, "mask": False}),
    "upper times any": (torch.triu, torch.clone, {"upper": True, "left": True, "result": False, "mask": False}),
    "upper part of any": (torch.clone, torch.clone, {"upper": True, "left": False, "result": True, "mask": True}),
    "lower part of any": (torch.clone, torch.clone, {"upper": False, "left": False, "result": True, "mask": True}),
    "upper part of upper times any": (
        torch.triu,
        torch.clone,
        dict.fromkeys(("upper", "left", "result", "mask"), True),
    ),
}
"""What is done to both operands, and what the rewriter then knows of their product."""


@pytest.fixture(scope="module")
def triangles(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Of 300 rows, which no block divides; the factors' other halves hold what must not be read as zeros are."""
    torch.manual_seed(0)
    cases: dict[str, Case] = {}
    for name, (left, right, known) in TRIANGLES.items():
        masked = {(True, True): torch.triu, (False, True): torch.tril}.get((known["upper"], known["mask"]), torch.clone)
        module = Module(lambda m, a, b, masked=masked: torch.relu(masked(a @ b)))
        case = Case.of(module, [left(torch.randn(300, 300)), right(torch.randn(300, 300))], LIMITS)
        cases[name] = replace(case, captured=replace(case.captured, graph=with_triangle(case.captured.graph, known)))
    return interpreted(tmp_path_factory.mktemp("triangles"), cases)


def with_triangle(graph: Graph, known: dict[str, bool]) -> Graph:
    """The graph with its product, and the mask behind it, as the rewriter would put it."""
    (at,) = [p for p, node in enumerate(graph.nodes) if node.op == "matmul"]
    node = graph.nodes[at]
    triangle = Node("triangular_product", node.args, attributes(step=64, **known), node.type)
    nodes = [triangle if p == at or n.op in ("triu", "tril") else n for p, n in enumerate(graph.nodes)]
    return Graph(tuple(nodes), graph.outputs).pruned()


@pytest.mark.parametrize("name", TRIANGLES)
def test_triangular_products_are_as_exact_as_eager(triangles: Answers, name: str) -> None:
    answer, eager, exact = triangles[name]
    assert error(answer, exact) <= 1.5 * error(eager, exact)
    assert torch.equal(answer == 0, eager == 0)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_half_convolutions_are_as_exact_as_tf32(name: str, convolved: Answers) -> None:
    """Eleven significant bits in each factor: an error near 2^-11 in the norm, whatever the size of the input."""
    answer, eager, exact = convolved[name]
    assert answer.shape == eager.shape and answer.is_contiguous()
    assert float((answer.double() - exact).norm() / exact.norm()) < 2.0**-10
    assert bool((answer == eager).logical_not().any())


@pytest.mark.parametrize("name", CASES)
def test_kernels_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32
    error = float((answer.double() - exact).norm() / exact.norm())
    floor = 4 * torch.finfo(torch.float32).eps
    assert error <= max(4 * float((eager.double() - exact).norm() / exact.norm()), floor)


def graph_of(function: Callable[..., torch.Tensor], *shapes: tuple[int, ...]):
    return capture(Module(function), [torch.randn(shape) for shape in shapes]).graph


def test_pointwise_work_goes_into_the_kernel_up_to_what_somebody_else_needs() -> None:
    def seen_in_the_middle(m: Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = m.linear(x) * m.scale
        return torch.relu(y) + 1.0, y

    graph = graph_of(seen_in_the_middle, (80, 192))
    (product,) = products.find(graph)
    assert graph.nodes[product.after.result].op == "mul"
    whole = graph_of(lambda m, x: torch.relu(m.linear(x) * m.scale) + 1.0, (80, 192))
    (product,) = products.find(whole)
    assert product.after.result == whole.outputs[0]


def test_what_follows_two_products_goes_into_one_of_their_kernels() -> None:
    graph = graph_of(lambda m, x: torch.relu(m.linear(x) + m.linear(x * 2.0)), (80, 192))
    first, second = products.find(graph)
    assert (first.after.result, second.after.result) == (graph.outputs[0], second.node)
    placed, _ = products.place(graph, [first, second])
    assert [node.op for node in placed.nodes].count("linear") == 0


def test_what_depends_on_the_product_by_another_way_is_no_operand() -> None:
    graph = graph_of(lambda m, x: (y := m.linear(x)) - y.amax(1, keepdim=True), (80, 192))
    (product,) = products.find(graph)
    assert product.after.result == product.node


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.linear(x.double().float()).double().sum(1),
        lambda m, x: torch.relu(x),
        lambda m, x: x @ x[0],
    ],
)
def test_only_float32_products_are_placed(function: Callable[..., torch.Tensor]) -> None:
    graph = graph_of(function, (80, 192))
    assert all(graph.nodes[p.node].op == "linear" for p in products.find(graph))
    half = capture(Module(lambda m, x: m.linear(x)).half(), [torch.randn(80, 192).half()])
    assert products.find(half.graph) == []


def test_small_products_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    captured = capture(Module(lambda m, x: m.linear(x)), [torch.randn(80, 192)])
    assert write(Form(captured, captured.graph)) is None


def test_a_file_says_how_it_is_called() -> None:
    captured = capture(Module(lambda m, x: m.linear(x).softmax(1).amax(1)), [torch.randn(80, 192)])
    written = write(Form(captured, captured.graph), around="replayed", decorator="@torch.compile(dynamic=False)")
    assert written is not None
    tree = ast.parse(written.source)
    model = next(n for n in tree.body if isinstance(n, ast.ClassDef))
    methods = {n.name: n for n in model.body if isinstance(n, ast.FunctionDef)}
    assert set(methods) == {"__init__", "_fold", "_apply", "_compute", "forward"}
    assert ast.unparse(methods["_compute"].decorator_list[0]) == "torch.compile(dynamic=False)"
    assert "libdevice" not in written.source
    nothing_between = capture(Module(lambda m, x: torch.relu(m.linear(x))), [torch.randn(80, 192)])
    assert write(Form(nothing_between, nothing_between.graph), decorator="@torch.compile()") is None


class Network(nn.Module):
    """Convolutions after convolutions: plain, in groups, transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16, bias=False)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.head((self.up(self.depthwise(x) + 1.0) + 0.5).mean((2, 3)))


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_a_compiled_network_keeps_its_convolutions_in_half(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_layers, "FEWEST_FLOPS", 1)
    monkeypatch.setattr(torch, "compile", lambda **_: lambda function: function)
    torch.manual_seed(0)
    module, inputs = Network().eval(), [size * torch.randn(2, 3, 16, 16)]
    captured = capture(module, inputs)
    written = write(Form(captured, captured.graph), decorator="@torch.compile(dynamic=False)")
    assert written is not None and "triton.jit" not in written.source.split("class ModelNew")[1]
    assert written.source.count("F.conv") == 3 and written.source.count("half_input(") == 4
    space: dict[str, type[nn.Module]] = {}
    exec(written.source, space)
    model = space["ModelNew"]()
    model.load_state_dict(module.state_dict())
    with torch.no_grad():
        answer, exact = model(*inputs), copy.deepcopy(module).double()(*(x.double() for x in inputs))
    assert float((answer.double() - exact).norm() / exact.norm()) < 2.0**-10


def test_replaying_keeps_what_the_caller_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrapper around a recording, with a stand-in that records Python instead of a device's work."""
    from kernelwright.authors.graph.text import AROUND

    space: dict[str, object] = {"torch": torch, "pytree": torch.utils._pytree}
    exec(AROUND["replayed"], space)
    recorded: list[Callable[[], None]] = []

    class Graph:
        def replay(self) -> None:
            recorded[-1]()

    class Recording:
        def __init__(self, graph: Graph) -> None:
            del graph

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    class Stream:
        def wait_stream(self, other: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", Recording)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", Recording)
    calls = 0

    def compute(x: torch.Tensor, pair: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        out = x + pair[0] * pair[1]
        recorded.append(lambda: out.copy_(x + pair[0] * pair[1]))
        return {"out": out}

    graphs: dict[object, object] = {}
    replayed = space["replayed"]
    assert callable(replayed)
    a = [torch.randn(4) for _ in range(3)]
    first = replayed(graphs, compute, a[0], [a[1], a[2]])["out"]
    assert calls == 3
    b = [torch.randn(4) for _ in range(3)]
    second = replayed(graphs, compute, b[0], [b[1], b[2]])["out"]
    assert calls == 3 and len(graphs) == 1
    assert torch.equal(first, a[0] + a[1] * a[2]) and torch.equal(second, b[0] + b[1] * b[2])
    replayed(graphs, compute, torch.randn(5), [torch.randn(5), torch.randn(5)])
    assert len(graphs) == 2

    def plain(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = x * y
        recorded.append(lambda: out.copy_(x * y))
        return out

    of_two = replayed(graphs, plain, a[0], a[1]), replayed(graphs, plain, b[0], b[1])
    assert len(graphs) == 3 and all(torch.equal(out, x * y) for out, (x, y, _) in zip(of_two, (a, b), strict=True))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 9), st.integers(1, 70), st.floats(-100, 30), st.integers(0, 2**31), st.booleans()
)  # fmt: skip
def test_parts_hold_all_but_the_last_bits(rows: int, width: int, exponent: float, seed: int, gaps: bool) -> None:
    torch.manual_seed(seed)
    weight = torch.randn(rows, width) * 2.0**exponent
    if gaps:
        weight[torch.rand(rows, width) < 0.5] = 0.0
        weight *= torch.exp2(torch.randint(-20, 1, (rows, width)).float())
    unit = row_unit(weight).double().unsqueeze(-1)
    kept = unit * (high_part(weight).double() + low_part(weight).double())
    largest = weight.abs().amax(-1, keepdim=True).double()
    allowed = 2.0**-22 * weight.abs().double() + 2.0**-39 * largest
    assert bool(((kept - weight.double()).abs() <= allowed).all())
    assert bool((torch.frexp(unit).mantissa == 0.5).all())


@given(st.integers(1, 64), st.integers(16, 20_000), st.integers(16, 20_000), st.sampled_from([64, 100, 4096, 1 << 19]))
def test_tiles_cover_and_cuts_are_whole(batch: int, rows: int, columns: int, depth: int) -> None:
    shape = Shape(batch, rows, columns, depth)
    tile = tile_for(shape)
    assert blocks(shape, tile) * tile.rows * tile.columns >= batch * rows * columns
    assert depth % tile.splits == 0
    assert tile.splits == 1 or (batch == 1 and depth // tile.splits % tile.depth == 0)
    assert (tile.rows + tile.columns) * tile.depth * 2 * 2 * tile.stages <= 227 << 10


def test_layers_of_a_sequence_are_named(tmp_path: Path) -> None:
    """Their names begin with a digit."""
    module = nn.Sequential(nn.Linear(192, 208), nn.ReLU(), nn.Linear(208, 192))
    captured = capture(module, [torch.randn(80, 192)])
    written = write(Form(captured, captured.graph))
    assert written is not None
    ast.parse(written.source)


def test_a_folded_weight_is_not_named_as_the_function_that_makes_it() -> None:
    """The module's own weights have no layer's name in front."""
    captured = capture(nn.Linear(192, 208), [torch.randn(80, 192)])
    written = write(Form(captured, captured.graph))
    assert written is not None
    fold = next(n for n in ast.walk(ast.parse(written.source)) if isinstance(n, ast.FunctionDef) and n.name == "_fold")
    stored = {n.id for n in ast.walk(fold) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    called = {n.func.id for n in ast.walk(fold) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert called >= {"high_part", "low_part", "row_unit"} and not stored & called
