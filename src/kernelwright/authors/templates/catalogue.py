"""The templates, in the order in which they are put into a graph: each takes what those before it have left."""

from collections.abc import Callable
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.templates import convolutions, products
from kernelwright.authors.templates.tiles import Lie, Shape, Tile

Choose = Callable[[Shape, Lie], Tile]
"""The tile for a product whose operands lie so."""
Placed = tuple[Graph, str]
"""A graph with ``call`` nodes, and the text of the functions that these name."""


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of kernel, and where it fits."""

    title: str
    says: str
    """What the docstring of a file with it says."""
    place: Callable[[Graph, Choose], Placed | None]
    """The graph with the kernels in it; ``None`` where none fits."""
    tf32: bool = False
    """No more exact than tf32: only right where the reference is computed in that."""


def _half_convolutions(graph: Graph, choose: Choose) -> Placed | None:
    del choose
    found = convolutions.find(graph)
    return convolutions.place(graph, found) if found else None


def _split_products(graph: Graph, choose: Choose) -> Placed | None:
    found = products.find(graph, choose)
    return products.place(graph, found) if found else None


TEMPLATES = (
    Template(
        "half convolutions",
        "Convolutions in float16, channels last, with powers of two that keep everything in range: PyTorch computes "
        "them in tf32, which has the same 11 significant bits.",
        _half_convolutions,
        tf32=True,
    ),
    Template(
        "split products",
        "Float32 matrix products on tensor cores: each operand is split into two float16 parts and one power of two "
        "for each row, and three products of parts are added up in float32 (Ootomo and Yokota, 2022), as exactly as "
        "float32's.",
        _split_products,
    ),
)
