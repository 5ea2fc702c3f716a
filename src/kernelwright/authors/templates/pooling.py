"""Where a maximum or average pool takes the pointwise work around it into its kernel, and the text of the kernels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from kernelwright.authors.graph.ir import Graph, Node, Slot, TensorType
from kernelwright.authors.templates import windows
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.placing import with_calls
from kernelwright.authors.templates.prologue import Prologue, prologue
from kernelwright.authors.templates.windows import Windows, launcher, per_channel, windows_of

MOST_AGAIN = 4
"""How often the work in front of a pool may be repeated: an element is read once for each window that holds it."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool, what is in front of it and what follows it in the same kernel."""

    node: int
    windows: Windows
    divisor: int | None
    """Of a sum; 0 where it is the number of places in the window; ``None`` for a maximum."""
    padded: bool
    """Does that number count the padding?"""
    before: Prologue
    after: Epilogue

    @property
    def takes_work(self) -> bool:
        """Are elements read few enough times to be worked on each time?"""
        seen = self.windows
        return prod(seen.kernel) * prod(seen.out) <= MOST_AGAIN * prod(seen.size)


def find(graph: Graph) -> list[Pool]:
    """Every pool of a live float32 tensor that is large enough. Pools of pools are kernels of their own."""
    live = graph.live()
    found: list[Pool] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        sizes = _sizes(node) if live[position] else None
        if sizes is None:
            continue
        given, out = graph.nodes[node.args[0]].type, node.type
        fits = isinstance(given, TensorType) and isinstance(out, TensorType)
        if not fits or given.dtype != "float32" or given.rank <= len(sizes["kernel"]):
            continue
        seen = windows_of(graph, position, **{k: sizes[k] for k in ("kernel", "stride", "padding", "dilation")})
        if given.elements < windows.FEWEST_ELEMENTS or not seen.fits:
            continue
        after = epilogue(graph, position, per_channel, taken)
        taken |= after.nodes
        nothing = Prologue(node.args[0], (), ())
        found.append(Pool(position, seen, sizes["divisor"], sizes["padded"], nothing, after))
    return [replace(pool, before=_before(graph, pool, taken)) for pool in found]


def _before(graph: Graph, pool: Pool, kept: set[int]) -> Prologue:
    return prologue(graph, pool.node, per_channel, kept) if pool.takes_work else pool.before


def _sizes(node: Node) -> dict[str, Any] | None:
    """Kernel, stride, padding and dilation by axis, and what a sum is divided by; ``None`` for what is no pool."""
    attr = node.attr
    if node.op == "max_pool":
        return {key: attr[key] for key in ("kernel", "stride", "padding", "dilation")} | {
            "divisor": None, "padded": False,
        }  # fmt: skip
    if node.op == "avg_pool":
        whole = attr["include_pad"] or not any(attr["padding"])
        divisor = prod(attr["kernel"]) if whole else 0
        ones = (1,) * len(attr["kernel"])
        return {key: attr[key] for key in ("kernel", "stride", "padding")} | {
            "dilation": ones, "divisor": divisor, "padded": False,
        }  # fmt: skip
    return _opaque_sizes(attr) if node.op == "opaque" else None


OPAQUE = {f"aten.avg_pool{n}d.default": n for n in (1, 2, 3)}
"""Average pools that the vocabulary does not hold: with windows over the edge, or a divisor of their own."""
ARGUMENTS = ("self", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


def _opaque_sizes(attr: dict[str, Any]) -> dict[str, Any] | None:
    axes = OPAQUE.get(attr["target"])
    if axes is None:
        return None
    given = {"stride": (), "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    given |= dict(zip(ARGUMENTS, attr["args"], strict=False)) | dict(attr["kwargs"])
    if any(isinstance(v, Slot) for k, v in given.items() if k != "self"):
        return None

    def each(value: Any) -> tuple[int, ...]:
        values = value if isinstance(value, tuple) else (value,)
        return values * axes if len(values) == 1 else values

    kernel = each(given["kernel_size"])
    return {
        "kernel": kernel,
        "stride": each(given["stride"]) if given["stride"] else kernel,
        "padding": each(given["padding"]),
        "dilation": (1,) * axes,
        "divisor": given["divisor_override"] or 0,
        "padded": bool(given["count_include_pad"]),
    }


def place(graph: Graph, found: Sequence[Pool]) -> tuple[Graph, str]:
    """The graph with calls in the pools' places, and the text of the functions that these call."""
    calls = {
        f.after.result: (f"pool_{number}", (f.before.source, *f.before.operands, *f.after.operands))
        for number, f in enumerate(found, start=1)
    }
    texts = [part for number, f in enumerate(found, start=1) for part in _functions(graph, f, number)]
    return with_calls(graph, calls), "\n\n\n".join([definitions("windows"), *texts])


def _functions(graph: Graph, pool: Pool, number: int) -> list[str]:
    """The kernel with what is in front and behind, and the function that launches it."""
    name = f"pool_{number}"
    out = graph.nodes[pool.after.result].type
    assert isinstance(out, TensorType)
    kind = "max_pool" if pool.divisor is None else "avg_pool"
    before = [f"p{k}" for k in range(len(pool.before.operands))]
    extra = [*before, *(f"e{k}" for k in range(len(pool.after.operands)))]
    kernel = definitions(kind).replace(f"{kind}_kernel", f"{name}_kernel")
    kernel = kernel.replace("source, out,", f"source,{''.join(f' {e}_pointer,' for e in extra)} out,")
    for mark, lines in (
        ("                # PROLOGUE: v becomes what is pooled\n", pool.before.lines),
        ("    # EPILOGUE: x becomes what is stored\n", pool.after.lines),
    ):
        indent = mark[: mark.index("#")]
        kernel = kernel.replace(mark, "".join(f"{indent}{line}\n" for line in lines))
    constants = [f"PLANES={pool.windows.planes}, CHANNELS={pool.windows.channels},"]
    if pool.divisor is not None:
        constants.append(f"PADDED={pool.padded}, DIVISOR={pool.divisor},")
    sizes = " x ".join(map(str, pool.windows.kernel[3 - _axes(graph, pool) :]))
    title = f"To {out.shape}: {'the largest' if pool.divisor is None else 'the mean'} of {sizes} places"
    return [kernel, launcher(name, title, pool.windows, out.shape, ["x", *extra], constants)]


def _axes(graph: Graph, pool: Pool) -> int:
    sizes = _sizes(graph.nodes[pool.node])
    assert sizes is not None
    return len(sizes["kernel"])
