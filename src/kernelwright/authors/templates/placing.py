"""Calls of kernels in the place of what they compute."""

from collections.abc import Callable, Mapping, Sequence

from kernelwright.authors.graph.ir import Graph, Node, attributes


def with_calls(graph: Graph, calls: Mapping[int, tuple[str, tuple[int, ...]]]) -> Graph:
    """The graph with calls in the place of some nodes: by position, the function and the positions it takes.

    What only the kernels compute is dead afterwards, and left out.
    """
    nodes = [
        Node("call", calls[p][1], attributes(function=calls[p][0]), node.type) if p in calls else node
        for p, node in enumerate(graph.nodes)
    ]
    return Graph(tuple(nodes), graph.outputs, graph.notes).pruned()


Add = Callable[[Node], int]
"""Appends a node to the graph that is being made; its position there."""
Call = Callable[[int, Add, Mapping[int, int]], tuple[str, tuple[int, ...]]]
"""From the number of a kernel, and where nodes of the old graph are in the new one: the function, and what it takes."""


def with_prepared_calls(graph: Graph, results: Sequence[int], call: Call) -> Graph:
    """The graph with calls in the place of the nodes ``results``, where operands are made in nodes of their own.

    What only the kernels compute is dead afterwards, and left out.
    """
    numbers = {result: k for k, result in enumerate(results)}
    nodes: list[Node] = []
    at: dict[int, int] = {}

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for position, node in enumerate(graph.nodes):
        if position in numbers:
            function, operands = call(numbers[position], add, at)
            at[position] = add(Node("call", operands, attributes(function=function), node.type))
        else:
            at[position] = add(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
    return Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned()
