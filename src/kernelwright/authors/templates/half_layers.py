"""Convolutions in float16 for a module that is compiled whole: plain PyTorch around each, which TorchInductor fuses.

Between the layers of a network everything then stays channels last, and float16 where a convolution reads or writes it.
"""

from math import prod

from kernelwright.authors.graph.ir import Graph, Node, Symbol, TensorType, TupleType, attributes
from kernelwright.authors.templates.convolutions import FEWEST_FLOPS, FORMATS, half_weight
from kernelwright.authors.templates.kernels import definitions


def find(graph: Graph) -> list[int]:
    """Positions of the float32 convolutions of a live input by weights, in two or three axes of places.

    Those in groups too, but for transposed ones, whose filters lie otherwise.
    """
    live = graph.live()
    found: list[int] = []
    for position, node in enumerate(graph.nodes):
        if node.op != "conv" or not live[position]:
            continue
        out, weight = node.type, graph.nodes[node.args[1]].type
        if not isinstance(out, TensorType) or not isinstance(weight, TensorType):
            continue
        kind = (
            out.dtype == "float32" and out.rank in (4, 5) and (node.attr["groups"] == 1 or not node.attr["transposed"])
        )
        weights_only = live[node.args[0]] and not any(live[a] for a in node.args[1:])
        if kind and weights_only and 2 * out.elements * prod(weight.shape) // out.shape[1] >= FEWEST_FLOPS:
            found.append(position)
    return found


def place(graph: Graph, found: list[int]) -> tuple[Graph, str]:
    """The graph with these convolutions in float16, and the text of the functions around them."""
    nodes: list[Node] = []
    at: dict[int, int] = {}
    halves: dict[int, tuple[int, int]] = {}

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for position, node in enumerate(graph.nodes):
        if position not in found:
            at[position] = add(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
            continue
        x, weight, *bias = node.args
        given, out = graph.nodes[x].type, node.type
        assert isinstance(given, TensorType) and isinstance(out, TensorType)
        if x not in halves:  # several convolutions of one input share it
            parts = TensorType(given.shape, "float16"), TensorType((), "float32")
            more = attributes(function="half_input", more=(Symbol(FORMATS[out.rank]),))
            both = add(Node("call", (at[x],), more, TupleType(parts)))
            high, unit = (add(Node("getitem", (both,), attributes(index=k), part)) for k, part in enumerate(parts))
            halves[x] = high, unit
        half, unit = halves[x]
        filters, units = half_weight(add, at[weight], graph.nodes[weight].type, transposed=node.attr["transposed"])
        y = add(Node("conv", (half, filters), node.attrs, TensorType(out.shape, "float16")))
        at[position] = add(Node("call", (y, unit, units), attributes(function="float_output"), out))
        for vector in bias:
            shape = (out.shape[1], *(1,) * (out.rank - 2))
            column = add(Node("reshape", (at[vector],), attributes(shape=shape), TensorType(shape, out.dtype)))
            at[position] = add(Node("add", (at[position], column), (), out))
    placed = Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned()
    return placed, "\n\n\n".join((definitions("half_layers"), definitions("filters")))
