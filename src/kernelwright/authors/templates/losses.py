"""Losses of two tensors that PyTorch computes element by element and then adds up: as reductions of everything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, Slot, TensorType
from kernelwright.authors.templates.kinds import KINDS, Kind

Element = Callable[[str, str, Sequence[Any]], str | None]
"""One element of a loss, from the names of the two tensors' elements and the call's arguments after ``reduction``."""
MEAN, SUM = 1, 2
"""``at::Reduction`` of PyTorch."""


def _smooth_l1(x: str, y: str, more: Sequence[Any]) -> str | None:
    beta = float(more[0]) if more else 1.0
    size = f"tl.abs({x} - {y})"
    if beta <= 0:
        return size
    return f"tl.where({size} < {beta!r}, tl.div_rn(0.5 * {size} * {size}, {beta!r}), {size} - {0.5 * beta!r})"


def _huber(x: str, y: str, more: Sequence[Any]) -> str | None:
    delta = float(more[0]) if more else 1.0
    size = f"tl.abs({x} - {y})"
    return f"tl.where({size} < {delta!r}, 0.5 * {size} * {size}, {delta!r} * ({size} - {0.5 * delta!r}))"


def _divergence(x: str, y: str, more: Sequence[Any]) -> str | None:
    if more and more[0]:
        return None  # a target that is a logarithm itself
    return f"tl.where({y} == 0.0, 0.0, {y} * libdevice.log({y})) - {y} * {x}"


LOSSES: dict[str, Element] = {
    "aten.mse_loss.default": lambda x, y, more: f"({x} - {y}) * ({x} - {y})" if not more else None,
    "aten.smooth_l1_loss.default": _smooth_l1,
    "aten.huber_loss.default": _huber,
    "aten.kl_div.default": _divergence,
}


def loss_kind(attr: Mapping[str, Any]) -> Kind | None:
    """The reduction that an opaque call of one of these is."""
    args = attr["args"]
    options = dict(attr["kwargs"])
    if attr["target"] not in LOSSES or args[:2] != (Slot(0), Slot(1)):
        return None
    more = [*args[3:], *(options.pop(name) for name in ("beta", "delta", "log_target") if name in options)]
    how = args[2] if len(args) > 2 else options.pop("reduction", MEAN)
    element = LOSSES[attr["target"]]
    if options or how not in (MEAN, SUM) or len(more) > 1 or element("", "", more) is None:
        return None

    def written(names: Sequence[str]) -> str:
        x, y = names
        return element(x, y, more) or ""

    return Kind("sums", KINDS["mean" if how == MEAN else "sum"].middle, written)


def seen_through(graph: Graph) -> Graph:
    """The graph without broadcasts of tensors that have one shape already: losses begin with such."""

    def plain(position: int) -> int:
        node = graph.nodes[position]
        if node.op == "getitem":
            whole = graph.nodes[node.args[0]]
            given = whole.args[node.attr["index"]] if _broadcasts(whole) else position
            if graph.nodes[given].type == node.type:
                return given
        return position

    nodes = [Node(n.op, tuple(plain(a) for a in n.args), n.attrs, n.type) for n in graph.nodes]
    return Graph(tuple(nodes), tuple(plain(o) for o in graph.outputs), graph.notes).pruned()


def _broadcasts(node: Node) -> bool:
    same = tuple(Slot(k) for k in range(len(node.args)))
    return (
        node.op == "opaque" and node.attr["target"] == "aten.broadcast_tensors.default" and node.attr["args"] == (same,)
    )


def same_types(graph: Graph, node: Node) -> bool:
    """All tensors that a call reads have one type."""
    types = {graph.nodes[a].type for a in node.args}
    return len(types) == 1 and all(isinstance(t, TensorType) for t in types)
