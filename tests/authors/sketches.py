"""Graphs drawn by hand, printed and run: what the tests of the rewriter share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from kernelwright.authors.graph.capture import Captured, Interface
from kernelwright.authors.graph.ir import Graph, Node, Slot, TensorType, attributes
from kernelwright.authors.graph.printer import print_module
from kernelwright.authors.rewriter.terms import Term, Terms


@dataclass
class Sketch:
    """A graph in float64 that grows by operations on its inputs and weights."""

    terms: Terms = field(default_factory=Terms)
    inputs: list[torch.Tensor] = field(default_factory=list)
    module: nn.Module = field(default_factory=nn.Module)
    weights: int = 0

    def input(self, *shape: int) -> Term:
        """A random input."""
        index = len(self.inputs)
        self.inputs.append(torch.randn(shape, dtype=torch.float64))
        return self._leaf("input", shape, index=index)

    def weight(self, *shape: int, positive: bool = False) -> Term:
        """A random parameter; away from zero, so that it may divide."""
        name = f"w{self.weights}"
        self.weights += 1
        value = torch.rand(shape, dtype=torch.float64) + 0.5
        sign = 1.0 if positive else torch.randint(0, 2, shape) * 2.0 - 1.0
        self.module.register_parameter(name, nn.Parameter(value * sign))
        return self._leaf("weight", shape, name=name)

    def mask(self, *shape: int) -> Term:
        """A random buffer of booleans whose first column is false."""
        name = f"m{self.weights}"
        self.weights += 1
        value = torch.rand(shape) < 0.5
        value[..., 0] = False
        self.module.register_buffer(name, value)
        node = Node("weight", (), attributes(name=name), TensorType(tuple(shape), "bool"))
        return Term(self.terms, self.terms.insert(node))

    def _leaf(self, op: str, shape: tuple[int, ...], **attrs: Any) -> Term:
        node = Node(op, (), attributes(**attrs), TensorType(tuple(shape), "float64"))
        return Term(self.terms, self.terms.insert(node))

    def make(self, op: str, *args: Term | float, **attrs: Any) -> Term:
        """A vocabulary operation."""
        return self.terms.make(op, *args, **attrs)

    def graph(self, *roots: Term) -> Graph:
        """The graph of these terms."""
        return graph_of(self.terms, [root.id for root in roots])

    def captured(self, graph: Graph) -> Captured:
        """As if the graph had been captured from a module."""
        names = tuple(f"x{k}" for k in range(len(self.inputs)))
        slots = tuple(Slot(k) for k in range(len(graph.outputs)))
        interface = Interface(names, names, (), slots, (True,) * len(slots))
        return Captured(graph, interface, self.module, {})


def graph_of(terms: Terms, roots: Sequence[int]) -> Graph:
    """The graph of some terms, each argument as it was first stated."""
    place: dict[int, int] = {}
    nodes: list[Node] = []

    def visit(term: int) -> int:
        if term not in place:
            node = terms.nodes[term]
            args = tuple(visit(a) for a in node.args)
            place[term] = len(nodes)
            nodes.append(Node(node.op, args, node.attrs, node.type))
        return place[term]

    outputs = tuple(visit(root) for root in roots)
    return Graph(tuple(nodes), outputs)


def build(source: str) -> nn.Module:
    """``ModelNew`` of a printed file, in eval mode."""
    space: dict[str, Any] = {}
    exec(compile(source, "candidate", "exec"), space)
    return space["ModelNew"]().eval()


def run_sketch(sketch: Sketch, graph: Graph) -> list[torch.Tensor]:
    """Prints the graph with folding, loads the sketch's weights and runs it on the sketch's inputs."""
    captured = sketch.captured(graph)
    printed = print_module(replace(captured, graph=graph), doc=["A sketch."], fold=True)
    module = build(printed)
    module.load_state_dict(sketch.module.state_dict())
    with torch.no_grad():
        return list(module(*[x.clone() for x in sketch.inputs]))


def assert_same(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], tolerance: float = 1e-9) -> None:
    """Shapes and dtypes equal, values to ``tolerance`` of the largest."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        scale = b.abs().max().item() if b.numel() else 0.0
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * max(scale, 1e-3))
