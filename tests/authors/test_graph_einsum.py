"""Einstein sums: captured, priced and printed as PyTorch computes them."""

import pytest
import torch
from sketches import build
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.graph.einsum import Equation, steps
from kernelwright.authors.graph.ir import Node, TensorType, attributes
from kernelwright.authors.graph.printer import print_module
from kernelwright.authors.rewriter.cost import Machine, cost_of, price
from kernelwright.authors.rewriter.process import cheapest_form
from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.saturate import Bounds

MACHINE = Machine(flops_per_byte=1e9, call_bytes=0)


class StateSpace(nn.Module):
    """The last state of a linear recurrence that is computed chunk by chunk: every coefficient is a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(-torch.rand(2, 3, 4, 5))
        self.enter = nn.Parameter(torch.randn(2, 4, 5, 3, 6))
        self.carry = nn.Parameter(torch.rand(2, 3, 5, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        decay = torch.exp(self.decay)
        states = torch.einsum("bclhn,bhcl,bclhp->bchpn", self.enter, decay, x)
        states = torch.cat([torch.zeros_like(states[:, :1]), states], dim=1)
        return torch.einsum("bhzc,bchpn->bzhpn", self.carry, states)[:, -1]


def test_a_recurrence_of_weights_is_one_product_with_its_last_state_alone() -> None:
    torch.manual_seed(0)
    module, x = StateSpace().double(), torch.randn(2, 4, 5, 3, 7, dtype=torch.float64)
    captured = capture(module, [x])
    assert [node.op for node in captured.graph.nodes].count("einsum") == 2
    found = cheapest_form(captured.graph, [rule.name for rule in ALL], MACHINE, Bounds())
    live = found.graph.live()
    assert [n.op for n, depends in zip(found.graph.nodes, live, strict=True) if depends].count("einsum") == 1
    assert {"part-before-work", "einsum-join-weights", "einsum-of-einsum", "einsum-of-zeros"} <= set(found.applied)
    for graph in (captured.graph, found.graph):
        made = build(print_module(captured, doc=["A test."], graph=graph, fold=True))
        made.load_state_dict(module.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(made(x), module(x))


class Long(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a_weight_with_a_long_name_of_its_own = nn.Parameter(torch.randn(2))
        self.another_weight_with_a_long_name = nn.Parameter(torch.randn(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, other = self.a_weight_with_a_long_name_of_its_own, self.another_weight_with_a_long_name
        return torch.einsum("abcde,a,b->cde", x, one, other)


def test_a_long_equation_is_not_broken_where_its_line_is() -> None:
    module, x = Long(), torch.randn(2, 2, 2, 2, 2)
    made = build(print_module(capture(module, [x]), doc=["A test."]))
    made.load_state_dict(module.state_dict())
    torch.testing.assert_close(made(x), module(x))


def test_a_sum_of_many_costs_what_its_steps_from_left_to_right_cost() -> None:
    types = [TensorType(shape, "float32") for shape in ((2, 3), (3, 5), (5, 7))]
    node = Node("einsum", (), attributes(equation="ab,bc,cd->ad"), TensorType((2, 7), "float32"))
    found = list(steps(node, types))
    assert [step.attr["equation"] for step, _ in found] == ["ab,bc->ac", "ac,cd->ad"]
    assert found[0][0].type == TensorType((2, 5), "float32") == found[1][1][0]
    assert (
        price(node, types, MACHINE)
        == sum(price(step, sides, MACHINE) for step, sides in found)
        == 4 * (2 * 3 + 3 * 5 + 2 * 5 + 2 * 5 + 5 * 7 + 2 * 7)
    )


@pytest.mark.parametrize("equation", ["aa->a", "ab", "a...->a", "a->b", "ab,b->aa"])
def test_what_is_no_plain_sum_is_refused(equation: str) -> None:
    with pytest.raises(TypeError, match="no plain Einstein sum"):
        Equation.parse(equation)


@pytest.mark.parametrize("equation", ["ii->i", "...a,a->...", "ab,bc"])
def test_other_sums_stay_as_they_are_written(equation: str) -> None:
    class Other(nn.Module):
        def forward(self, *xs: torch.Tensor) -> torch.Tensor:
            return torch.einsum(equation, *xs)

    inputs = [torch.randn(3, 3), torch.randn(*(3,) * (2 - equation.count("...a,a")))][: equation.count(",") + 1]
    captured = capture(Other(), inputs)
    made = build(print_module(captured, doc=["A test."]))
    torch.testing.assert_close(made(*inputs), Other()(*inputs))
    assert cost_of(captured.graph, MACHINE) > 0


class Ordered(nn.Module):
    """As torch.einsum lowers a sum of three where opt_einsum is installed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 6))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.einsum.default("ab,bc,cd->ad", [x, self.weight, y], path=[1, 2, 0, 1])


def test_the_order_of_a_sum_of_three_is_not_part_of_it() -> None:
    torch.manual_seed(0)
    module, inputs = Ordered(), [torch.randn(4, 5), torch.randn(6, 7)]
    captured = capture(module, inputs)
    assert [node.op for node in captured.graph.nodes].count("einsum") == 1
    made = build(print_module(captured, doc=["A test."]))
    made.load_state_dict(module.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(made(*inputs), module(*inputs))
