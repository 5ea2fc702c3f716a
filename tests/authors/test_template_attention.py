"""Attention with wide heads in the author ``templates``, and sums of products that are written as ``einsum``."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import attention, products, reductions


class Module(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


ANY = [(products, "FEWEST_FLOPS", 1), (reductions, "FEWEST_ELEMENTS", 1)]
CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, int]]] = {
    "as it is": (F.scaled_dot_product_attention, (136, 136)),
    "a scale, narrow values": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.5), (160, 48)),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases: dict[str, Case] = {}
    for name, (function, (features, values)) in CASES.items():
        inputs = [torch.randn(1, 2, n, f) for n, f in ((64, features), (80, features), (80, values))]
        cases[name] = Case.of(Module(function), inputs, ANY)
    return interpreted(tmp_path_factory.mktemp("attention"), cases)


@pytest.mark.parametrize("name", CASES)
def test_wide_heads_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape
    assert error(answer, exact) <= 2 * error(eager, exact) + torch.finfo(torch.float32).eps


def graph_of(function: Callable[..., torch.Tensor], *shapes: tuple[int, ...]) -> Graph:
    return capture(Module(function), [torch.randn(shape) for shape in shapes]).graph


@pytest.mark.parametrize(
    ("function", "features"),
    [
        (F.scaled_dot_product_attention, 64),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), 256),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=q[..., :64]), 256),
    ],
)
def test_narrow_heads_and_masks_stay(function: Callable[..., torch.Tensor], features: int) -> None:
    graph = graph_of(function, *[(2, 4, 64, features)] * 3)
    assert attention.spelled_out(graph) == graph
    wide = graph_of(F.scaled_dot_product_attention, *[(2, 4, 64, 256)] * 3)
    assert [node.op for node in attention.spelled_out(wide).nodes].count("matmul") == 2


@pytest.mark.parametrize(
    ("equation", "product"),
    [("bijl,lk->bijk", True), ("ij, jk -> ik", True), ("ij,jk->ki", False), ("ij,kj->ik", False), ("ij,jk->i", False)],
)
def test_an_einsum_of_a_product_is_one(equation: str, product: bool) -> None:
    first = (2, 3, 8, 8) if equation.startswith("b") else (8, 8)
    graph = graph_of(lambda a, b: torch.einsum(equation, a, b), first, (8, 8))
    assert (graph.nodes[graph.outputs[0]].op == "matmul") == product
