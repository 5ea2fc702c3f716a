"""Attention whose heads are too wide for PyTorch's fused kernels, as two products and a softmax."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from kernelwright.authors.graph.ir import SCALAR, Graph, Node, Slot, TensorType, attributes

TARGET = "aten.scaled_dot_product_attention.default"
WIDEST_FUSED = 128
"""Features of a head. Up to here a float32 kernel that keeps the scores on the chip is at its best; beyond, its blocks
are too small for tensor cores, and scores in memory cost less than they save."""
FEWEST_POSITIONS = 64
OPTIONS = ("attn_mask", "dropout_p", "is_causal")


def spelled_out(graph: Graph) -> Graph:
    """The graph with softmax(queries · keysᵀ · scale) · values in the place of such calls, without mask or dropout."""
    nodes: list[Node] = []
    at: dict[int, int] = {}

    def add(op: str, operands: tuple[int, ...], type_: TensorType, **attrs: Any) -> int:
        nodes.append(Node(op, operands, attributes(**attrs), type_))
        return len(nodes) - 1

    for position, node in enumerate(graph.nodes):
        scale = _scale(graph, node)
        if scale is None:
            nodes.append(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
            at[position] = len(nodes) - 1
            continue
        queries, keys, values = (at[a] for a in node.args)
        given, known, out = nodes[queries].type, nodes[keys].type, node.type
        assert isinstance(given, TensorType) and isinstance(known, TensorType) and isinstance(out, TensorType)
        batch = known.shape[:-2]
        turned = (*range(len(batch)), len(batch) + 1, len(batch))
        keys = add("permute", (keys,), TensorType((*batch, *known.shape[:-3:-1]), known.dtype), dims=turned)
        scores = TensorType((*given.shape[:-1], known.shape[-2]), given.dtype)
        factor = add("const", (), TensorType((), SCALAR), value=scale)
        scaled = add("mul", (add("matmul", (queries, keys), scores), factor), scores)
        shares = add("softmax", (scaled,), scores, dim=len(scores.shape) - 1)
        at[position] = add("matmul", (shares, values), out)
    return Graph(tuple(nodes), tuple(at[o] for o in graph.outputs), graph.notes)


def _scale(graph: Graph, node: Node) -> float | None:
    """What the scores of such a call are multiplied with; ``None`` for every other node."""
    attr: Mapping[str, Any] = node.attr
    if node.op != "opaque" or attr["target"] != TARGET or attr["args"][:3] != (Slot(0), Slot(1), Slot(2)):
        return None
    types = [graph.nodes[a].type for a in node.args]
    given = dict(zip(OPTIONS, attr["args"][3:], strict=False)) | dict(attr["kwargs"])
    scale = given.pop("scale", None)
    if any(given.pop(name, None) for name in (*OPTIONS, "enable_gqa")) or given or len(types) != 3:
        return None
    shapes = [t.shape for t in types if isinstance(t, TensorType) and t.dtype == "float32"]
    if len(shapes) != 3 or len({(*s[:-2],) for s in shapes}) != 1 or len(shapes[0]) < 3:
        return None
    features, positions = shapes[0][-1], min(shapes[0][-2], shapes[1][-2])
    if features <= WIDEST_FUSED or positions < FEWEST_POSITIONS:
        return None
    return float(scale) if scale is not None else 1.0 / sqrt(features)
