"""Calls of kernels in the place of what they compute."""

from collections.abc import Mapping

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
