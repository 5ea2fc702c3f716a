"""The templates, in the order in which they are put into a graph: each takes what those before it have left."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import (
    affine,
    attention,
    convolutions,
    depthwise,
    entropies,
    extremes,
    half_layers,
    implicit,
    pointwise,
    pooling,
    products,
    recurrent,
    reductions,
    scans,
    threefold,
    unrolled,
)
from kernelwright.authors.templates.losses import seen_through
from kernelwright.authors.templates.tiles import Lie, Shape, Tile

Choose = Callable[[Shape, Lie], Tile]
"""The tile for a product whose operands lie so."""
Placed = tuple[Graph, str]
"""A graph with ``call`` nodes, and the text of the functions that these name."""

Place = Callable[[Graph, Choose], Placed | None]


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of kernel, and where it fits."""

    title: str
    says: str
    """What the docstring of a file with it says."""
    place: Place
    """The graph with the kernels in it; ``None`` where none fits."""
    tf32: bool = False
    """No more exact than tf32: only right where the reference is computed in that."""
    compiled: bool | None = None
    """Only where the module is compiled as a whole, or only where it is not."""


def _wherever(find: Callable[[Graph], list[Any]], place: Callable[[Graph, list[Any]], Placed]) -> Place:
    """The template that is put wherever it is found."""

    def placed(graph: Graph, choose: Choose) -> Placed | None:
        del choose
        found = find(graph)
        return place(graph, found) if found else None

    return placed


def _depthwise(graph: Graph, choose: Choose) -> Placed | None:
    del choose
    graph = affine.spread(graph, affine.behind(graph, [found.node for found in depthwise.find(graph)]))
    found = depthwise.find(graph)
    return depthwise.place(graph, found) if found else None


def _pools(graph: Graph, choose: Choose) -> Placed | None:
    del choose
    sources = [found.before.source for found in pooling.find(graph) if found.takes_work]
    graph = affine.spread(graph, affine.at(graph, sources))
    found = pooling.find(graph)
    return pooling.place(graph, found) if found else None


def _pointwise(*, halves: bool) -> Place:
    def placed(graph: Graph, choose: Choose) -> Placed | None:
        del choose
        found = pointwise.find(graph, halves=halves)
        norms = affine.behind(graph, [one.node for one in found]) + affine.at(
            graph, [one.before.source for one in found]
        )
        graph = affine.spread(graph, norms)
        found = pointwise.find(graph, halves=halves)
        return pointwise.place(graph, found) if found else None

    return placed


def _recurrences(graph: Graph, choose: Choose) -> Placed | None:
    del choose
    graph = unrolled.rolled(graph)
    found = recurrent.find(graph)
    return recurrent.place(graph, found) if found else None


def _split_products(graph: Graph, choose: Choose) -> Placed | None:
    graph = attention.spelled_out(graph)
    found = products.find(graph, choose)
    return products.place(graph, found) if found else None


def _reductions(graph: Graph, choose: Choose) -> Placed | None:
    del choose
    graph = seen_through(graph)
    found = reductions.find(graph)
    return reductions.place(graph, found) if found else None


_TF32 = (
    "Convolutions in float16, channels last, with powers of two that keep everything in range: PyTorch computes "
    "them in tf32, which has the same 11 significant bits."
)
TEMPLATES = (
    # in a module that is compiled whole, layers hand each other channels last, and TorchInductor fuses both
    Template(
        "depthwise convolutions",
        "Convolutions in which each output channel sees one input channel: directly in float32, with what follows in "
        "the same kernel.",
        _depthwise,
        compiled=False,
    ),
    Template(
        "pools",
        "Pools with the pointwise work in front of them and behind them in the same kernel.",
        _pools,
        compiled=False,
    ),
    Template(
        "recurrent layers",
        "All steps of a recurrent layer in one launch, in float32: each program keeps the weights of some hidden units "
        "in its registers, and waits for the others after each step. The inputs are projected in one product.",
        _recurrences,
    ),
    Template(
        "half pointwise convolutions",
        "Convolutions with one tap and many channels as one product in float16 over the input as it lies, in units of "
        "powers of two: PyTorch computes them in tf32, which has the same 11 significant bits.",
        _pointwise(halves=True),
        tf32=True,
        compiled=False,
    ),
    Template(
        "pointwise convolutions",
        "Convolutions with one tap as products over the input as it lies, channels first, with the work around them in "
        "the same kernel: each float32 is split into two float16 parts and a power of two where it is read.",
        _pointwise(halves=False),
        compiled=False,
    ),
    # in a module that is compiled whole, layers hand each other channels last: half convolutions leave them so
    Template(
        "implicit-GEMM convolutions in tf32",
        "Convolutions with few products in a sum as one product over patches of the input as it lies (implicit GEMM), "
        "with what follows in the same kernel: in tf32, as PyTorch computes them.",
        _wherever(partial(implicit.find, exact=False), implicit.place),
        tf32=True,
        compiled=False,
    ),
    Template("half convolutions", _TF32, _wherever(half_layers.find, half_layers.place), tf32=True, compiled=True),
    Template("half convolutions", _TF32, _wherever(convolutions.find, convolutions.place), tf32=True, compiled=False),
    Template(
        "implicit-GEMM convolutions",
        "Convolutions with few products in a sum as one product over patches of the input as it lies (implicit GEMM), "
        "with what follows in the same kernel: three tf32 products for one, as exactly as float32's.",
        _wherever(implicit.find, implicit.place),
    ),
    Template(
        "threefold convolutions",
        "Convolutions over three times as many channels, for the leading and the following bits of the input: in "
        "tf32 cuDNN then adds up all products of parts that float32 would show (tf32x3).",
        _wherever(threefold.find, threefold.place),
    ),
    Template(
        "split products",
        "Float32 matrix products on tensor cores: each operand is split into two float16 parts and one power of two "
        "for each row, and three products of parts are added up in float32 (Ootomo and Yokota, 2022), as exactly as "
        "float32's.",
        _split_products,
    ),
    Template(
        "one-pass reductions",
        "Reductions and normalisations with the work before and after them in one kernel: a row is read once where it "
        "fits into registers, else its statistics are found online (Welford, 1962; Milakov and Gimelshein, 2018).",
        _reductions,
        # TorchInductor fuses such work itself, and leaves what lies channels last as it lies
        compiled=False,
    ),
    Template(
        "cross entropies",
        "The cross entropy of each row with its logits read once: the largest one and the sum of exponentials are "
        "found online (Milakov and Gimelshein, 2018), and losses are added up in a fixed order.",
        _wherever(entropies.find, entropies.place),
        compiled=False,
    ),
    Template(
        "searches for extremes",
        "Where the largest or smallest elements lie, with the work in front in the same kernel: each position of a "
        "block keeps the first of its own, few rows are cut into parts.",
        _wherever(extremes.find, extremes.place),
        compiled=False,
    ),
    Template(
        "scans",
        "Running sums and products of rows, block after block in one kernel, with the reversal, the shift or the mask "
        "that belongs to them.",
        _wherever(scans.find, scans.place),
    ),
)
