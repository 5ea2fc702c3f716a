"""Channels-last memory as a choice of the printed module. Imports no torch.

cuDNN's fastest convolutions on tensor cores read and write NHWC; in other layouts it converts on the way in and out.
PyTorch computes a convolution in the layout that its input or its kernel suggests, and what follows elementwise keeps
that layout (https://pytorch.org/tutorials/intermediate/memory_format_tutorial.html). So kernels are converted once per
load, inputs on entry, and outputs keep the layout that they have: values, shapes and dtypes are the reference's.
"""

from kernelwright.authors.graph.ir import Graph, Node, TensorType

SEES_STRIDES = frozenset({"as_strided", "view_as_complex", "view_as_real", "view", "resize", "set", "stride"})
"""Calls outside the vocabulary that may mean something else in another layout."""


def in_channels_last(graph: Graph) -> Graph | None:
    """The same graph with its 2d and 3d convolutions in channels-last memory.

    ``None`` where it has none, or holds a call that sees strides.
    """
    if any(n.op == "opaque" and n.attr["target"].split(".")[1] in SEES_STRIDES for n in graph.nodes):
        return None
    nodes: list[Node] = []
    place: list[int] = []
    laid_out: dict[int, int] = {}

    def convert(position: int) -> int:
        if position not in laid_out:
            nodes.append(Node("channels_last", (place[position],), (), graph.nodes[position].type))
            laid_out[position] = len(nodes) - 1
        return laid_out[position]

    live = graph.live()
    for node in graph.nodes:
        args = [place[a] for a in node.args]
        if node.op == "conv" and isinstance(node.type, TensorType) and node.type.rank in (4, 5):
            x, kernel = node.args[:2]
            if graph.nodes[x].op == "input":
                args[0] = convert(x)
            if not live[kernel]:
                args[1] = convert(kernel)
        nodes.append(Node(node.op, tuple(args), node.attrs, node.type))
        place.append(len(nodes) - 1)
    if not laid_out:
        return None
    return Graph(
        tuple(nodes), tuple(place[o] for o in graph.outputs), tuple((place[p], text) for p, text in graph.notes)
    )
