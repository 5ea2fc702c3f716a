"""Convolutions that PyTorch computes in float32, on tensor cores: plain PyTorch around cuDNN's own.

cuDNN computes float32 convolutions in tf32 where it has a kernel for that, and in float32 elsewhere, by the layout and
the number of channels. Where the reference is exact, neither tf32 nor float16 is right.
"""

from dataclasses import replace
from math import prod

from kernelwright.authors.graph.ir import Graph, Node, Symbol, TensorType, attributes
from kernelwright.authors.templates import half_layers
from kernelwright.authors.templates.convolutions import FORMATS
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import Add

MOST_PRODUCTS = 256
"""In one sum of the reference: tensor cores round sums towards zero, which over many products adds up to more than
float32's own error."""


def find(graph: Graph) -> list[int]:
    """Positions of the float32 convolutions in one group, in two or three axes of places, with short sums."""

    def short(node: Node) -> bool:
        weight = _type(graph, node.args[1]).shape
        return node.attr["groups"] == 1 and prod(weight) // weight[node.attr["transposed"]] <= MOST_PRODUCTS

    return [position for position in half_layers.find(graph) if short(graph.nodes[position])]


def place(graph: Graph, found: list[int]) -> tuple[Graph, str]:
    """The graph with these convolutions over three times as many channels, and the text of the functions."""
    nodes: list[Node] = []
    at: dict[int, int] = {}
    inputs: dict[int, int] = {}

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for position, node in enumerate(graph.nodes):
        args = [at[a] for a in node.args]
        if position in found:
            x, weight, *_ = node.args
            if x not in inputs:  # several convolutions of one input share it
                inputs[x] = _in_three(add, at[x], "channels_in_three", _type(graph, x), 1)
            axis = 0 if node.attr["transposed"] else 1
            filters = _in_three(add, at[weight], "filters_in_three", _type(graph, weight), axis, axis)
            args[:2] = inputs[x], filters
        at[position] = add(replace(node, args=tuple(args)))
    return Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned(), definitions("threefold")


def _in_three(add: Add, at: int, function: str, kind: TensorType, axis: int, *more: object) -> int:
    """A call that makes this axis three times as long; ``more``: what the function takes before the format."""
    shape = (*kind.shape[:axis], 3 * kind.shape[axis], *kind.shape[axis + 1 :])
    given = attributes(function=function, more=(*more, Symbol(FORMATS[kind.rank])))
    return add(Node("call", (at,), given, replace(kind, shape=shape)))


def _type(graph: Graph, position: int) -> TensorType:
    type_ = graph.nodes[position].type
    assert isinstance(type_, TensorType)
    return type_
