"""Where a float32 matrix product becomes three half-precision ones, and the text of its kernel and launcher."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from kernelwright.authors.graph.ir import Graph, Node, TensorType, TupleType, attributes
from kernelwright.authors.templates.epilogue import Epilogue, epilogue
from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.tiles import WIDE, Lie, Shape, Tile, filled, tile_for

STEP = 64
"""Summed axes that no wide load fits are filled up to a multiple of this, which most tiles step by."""
SMALLEST_DEPTH = 32
SMALLEST_SIDE = 16
FEWEST_FLOPS = 1 << 28
"""Below this a product is over before the splitting of its operands is."""
PRODUCTS = frozenset({"linear", "matmul", "triangular_product"})
FURTHEST = 1 << 31
"""Offsets inside an operand are 32-bit integers."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a product. ``source`` is the tensor that is split, which holds it plain or transposed."""

    source: int
    rows: bool
    """The summed axis is the source's last one; else its second to last."""
    weight: bool
    """Split once per load."""


@dataclass(frozen=True, slots=True)
class Triangle:
    """Zeros beyond the main diagonal: below it for ``upper``, else above it."""

    upper: bool
    left: bool
    """The first operand has them: there is nothing to sum."""
    result: bool
    """The product has them, of itself or because of ``mask``: blocks of them are not computed."""
    mask: bool
    """The product gets them."""

    @property
    def bounds(self) -> list[str]:
        """Statements that say which part of the summed axis a block of the result needs."""
        lines = ["begin, end, top, side = 0, K, (first + within % height) * BM, (within // height) * BN"]
        if self.left:
            lines.append("begin = top // BK * BK" if self.upper else "end = tl.minimum(K, top + BM)")
        if self.result:
            beyond = "side + BN <= top" if self.upper else "side >= top + BM"
            lines.append(f"end = tl.where({beyond}, begin, end)")
        return lines

    @property
    def cleared(self) -> list[str]:
        """Statements that clear what lies beyond the diagonal in the block ``x``."""
        kept = "column[None, :] >= row[:, None]" if self.upper else "column[None, :] <= row[:, None]"
        return [f"x = tl.where({kept}, x, 0.0)"] if self.mask else []


@dataclass(frozen=True, slots=True)
class Product:
    """One product and what follows it in the same kernel."""

    node: int
    a: Operand
    b: Operand
    shape: Shape
    tile: Tile
    after: Epilogue
    triangle: Triangle | None = None


def by_size(shape: Shape, lie: Lie) -> Tile:
    """The tile that fits a shape where nothing can be measured."""
    del lie
    return tile_for(shape)


def find(graph: Graph, choose: Callable[[Shape, Lie], Tile] = by_size) -> list[Product]:
    """Every float32 product that is large enough, each with the pointwise work that its kernel takes along."""
    live = graph.live()
    found: list[Product] = []
    taken: set[int] = set()
    for position, node in enumerate(graph.nodes):
        placed = _operands(graph, position, live) if live[position] and node.op in PRODUCTS else None
        if placed is not None:
            a, b, shape = placed
            triangle = _triangle(node)
            tile = choose(shape, Lie("nt"[not (a.rows or a.weight)] + "nt"[not (b.rows or b.weight)]))
            tile = tile if triangle is None else replace(tile, splits=1)
            # parts of a sum that are added up afterwards can take nothing along
            after = epilogue(graph, position, _reads, taken) if tile.splits == 1 else Epilogue(position, (), ())
            taken |= after.nodes
            found.append(Product(position, a, b, shape, tile, after, triangle))
    return found


def _triangle(node: Node) -> Triangle | None:
    if node.op != "triangular_product":
        return None
    return Triangle(**{name: bool(node.attr[name]) for name in ("upper", "left", "result", "mask")})


def _reads(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """Vectors along the columns or the rows."""
    if shape == (*(1,) * (len(out) - 1), out[-1]):
        return f"tl.load({name} + column, mask=column < N, other=0.0)[None, :]"
    if shape == (*out[:-1], 1):
        return f"tl.load({name} + batch * M + row, mask=row < M, other=0.0)[:, None]"
    return None


def _operands(graph: Graph, position: int, live: Sequence[bool]) -> tuple[Operand, Operand, Shape] | None:
    node = graph.nodes[position]
    left, right = (_type(graph, a) for a in node.args[:2])
    if left.dtype != "float32" or right.dtype != "float32":
        return None
    out = _type(graph, position)
    batch = () if node.op == "linear" or right.rank == 2 else out.shape[:-2]
    if batch and not left.shape[:-2] == right.shape[:-2] == batch:
        return None
    a = _side(graph, node.args[0], live, summed_last=True)
    b = _side(graph, node.args[1], live, summed_last=node.op == "linear")
    if not a.rows and not batch and left.rank > 2:
        return None  # rows of several matrices are one matrix's only as long as they lie in a row
    rows = out.shape[-2] if batch else prod(out.shape[:-1])
    shape = Shape(prod(batch), rows, out.shape[-1], filled(left.shape[-1], STEP))
    large = min(shape.rows, shape.columns) >= SMALLEST_SIDE and left.shape[-1] >= SMALLEST_DEPTH
    if not large or shape.flops < FEWEST_FLOPS or shape.depth * max(shape.rows, shape.columns) >= FURTHEST:
        return None
    return a, b, shape


def _side(graph: Graph, position: int, live: Sequence[bool], *, summed_last: bool) -> Operand:
    """Looks through a transposition: what is split is the tensor as it lies in memory. Weights are laid out anew."""
    if not live[position]:
        return Operand(position, rows=summed_last, weight=True)
    node = graph.nodes[position]
    rank = _type(graph, position).rank
    turned = (*range(rank - 2), rank - 1, rank - 2)
    if node.op == "permute" and node.attr["dims"] == turned:
        return Operand(node.args[0], rows=not summed_last, weight=False)
    return Operand(position, rows=summed_last, weight=False)


def place(graph: Graph, found: Sequence[Product]) -> tuple[Graph, str]:
    """The graph with calls in the products' places, and the text of the functions that these call."""
    inside = {product.after.result: k for k, product in enumerate(found)}
    nodes: list[Node] = []
    at: dict[int, int] = {}
    split: dict[tuple[int, bool], tuple[int, int, int]] = {}

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def parts(operand: Operand) -> tuple[int, int, int]:
        key = (operand.source, operand.rows)
        if key not in split:
            make = _weight_parts if operand.weight else _parts
            split[key] = make(add, nodes, at[operand.source], operand)
        return split[key]

    # what only the products read is left out: it becomes dead, and pruned() takes it away
    for position, node in enumerate(graph.nodes):
        if position in inside:
            product = found[inside[position]]
            bias = graph.nodes[product.node].args[2:]
            operands = [*parts(product.a), *parts(product.b), *(at[e] for e in (*bias, *product.after.operands))]
            name = f"product_{inside[position] + 1}"
            at[position] = add(Node("call", tuple(operands), attributes(function=name), node.type))
        else:
            at[position] = add(Node(node.op, tuple(at[a] for a in node.args), node.attrs, node.type))
    placed = Graph(tuple(nodes), tuple(at[o] for o in graph.outputs)).pruned()
    return placed, _text(graph, found)


def _parts(add: Callable[[Node], int], nodes: list[Node], source: int, operand: Operand) -> tuple[int, int, int]:
    type_ = nodes[source].type
    assert isinstance(type_, TensorType)
    lie = (filled(type_.shape[-1], STEP),) if operand.rows else _columns_lie(type_.shape)
    half = TensorType((*type_.shape[: -len(lie)], *lie), "float16")
    kept = type_.shape[:-1] if operand.rows else (*type_.shape[:-2], type_.shape[-1])
    kinds = (half, half, TensorType(kept, "float32"))
    function = "split_rows" if operand.rows else "split_columns"
    more = {} if half.shape == type_.shape else {"more": lie}
    whole = add(Node("call", (source,), attributes(function=function, **more), TupleType(kinds)))
    high, low, unit = (add(Node("getitem", (whole,), attributes(index=k), kind)) for k, kind in enumerate(kinds))
    return high, low, unit


def _weight_parts(add: Callable[[Node], int], nodes: list[Node], source: int, operand: Operand) -> tuple[int, int, int]:
    """Weights are laid out with the summed axis last, whatever they were."""
    type_ = nodes[source].type
    assert isinstance(type_, TensorType)
    if not operand.rows:
        turned = (*range(type_.rank - 2), type_.rank - 1, type_.rank - 2)
        type_ = TensorType(tuple(type_.shape[d] for d in turned), type_.dtype)
        source = add(Node("permute", (source,), attributes(dims=turned), type_))
    depth = filled(type_.shape[-1], STEP)
    half, unit = TensorType((*type_.shape[:-1], depth), "float16"), TensorType(type_.shape[:-1], "float32")
    more = {} if half.shape == type_.shape else {"more": (depth,)}
    made = (("high_part", half, more), ("low_part", half, more), ("row_unit", unit, {}))
    high, low, unit_at = (
        add(Node("call", (source,), attributes(function=function, **given), kind)) for function, kind, given in made
    )
    return high, low, unit_at


def _columns_lie(shape: tuple[int, ...]) -> tuple[int, int]:
    """The last two axes of parts whose summed axis is the second to last."""
    return filled(shape[-2], STEP), filled(shape[-1], WIDE)


def _text(graph: Graph, found: Sequence[Product]) -> str:
    texts: list[str] = []
    if any(not side.weight for p in found for side in (p.a, p.b)):
        texts.append(definitions("split"))
    if any(side.weight for p in found for side in (p.a, p.b)):
        texts.append(definitions("weights"))
    for number, product in enumerate(found, start=1):
        texts += _kernel(graph, product, number)
    return "\n\n\n".join(texts)


def _kernel(graph: Graph, product: Product, number: int) -> list[str]:
    """The kernel with its epilogue, and the function that launches it."""
    shape, tile, name = product.shape, product.tile, f"product_{number}"
    bias = ["bias"] if len(graph.nodes[product.node].args) > 2 else []
    extra = [*bias, *(f"e{k}" for k in range(len(product.after.operands)))]
    if tile.splits > 1:
        lines: list[str] = []
    else:
        lines = ["x += tl.load(bias_pointer + column, mask=column < N, other=0.0)[None, :]"] if bias else []
        lines += product.after.lines
    kernel = definitions("product").replace("product_kernel", f"{name}_kernel")
    pointers = "".join(f" {e}_pointer," for e in extra) if tile.splits == 1 else ""
    kernel = kernel.replace("b_unit, out,", f"b_unit, out,{pointers}")
    if product.triangle is not None:
        kernel = _bounded(kernel, product.triangle)
        lines = [*product.triangle.cleared, *lines]
    kernel = kernel.replace("    # EPILOGUE: x becomes what is stored\n", "".join(f"    {line}\n" for line in lines))
    batch, depth = shape.batch, shape.depth // tile.splits
    a = _strides(product.a, shape.rows, shape.depth)
    b = _strides(product.b, shape.columns, shape.depth)
    if tile.splits > 1:  # parts of the summed axis are a batch, added up afterwards
        batch = tile.splits
        a = (depth * a[2], a[1], a[2], 0)
        b = (depth * b[2], b[1], b[2], 0)
    out_type = graph.nodes[product.after.result].type
    assert isinstance(out_type, TensorType)
    made = (tile.splits, shape.rows, shape.columns) if tile.splits > 1 else out_type.shape
    blocks = -(-shape.rows // tile.rows) * -(-shape.columns // tile.columns)
    given = "".join(f" {e}.contiguous()," for e in extra) if tile.splits == 1 else ""
    numbers = (shape.rows, shape.columns, depth, a[0], a[1], a[2], b[0], b[2], b[1], a[3], b[3])
    launcher = [
        f"def {name}({', '.join(('a_high', 'a_low', 'a_unit', 'b_high', 'b_low', 'b_unit', *extra))}):",
        f'    """{shape}: on {blocks * batch} blocks of {tile.rows} x {tile.columns}."""',
        f"    out = torch.empty({made}, dtype=torch.float32, device=a_high.device)",
        f"    {name}_kernel[({blocks}, {batch})](",
        f"        a_high, a_low, a_unit, b_high, b_low, b_unit, out,{given}",
        f"        {', '.join(map(str, numbers))},",
        f"        BM={tile.rows}, BN={tile.columns}, BK={tile.depth}, GROUP=8, EVEN={depth % tile.depth == 0},",
        f"        num_warps={tile.warps}, num_stages={tile.stages},",
        "    )",
    ]
    if tile.splits > 1:
        launcher.append(f"    return out.sum(0).reshape({out_type.shape}){' + bias' if bias else ''}")
    else:
        launcher.append("    return out")
    return [kernel, "\n".join(launcher)]


def _bounded(kernel: str, triangle: Triangle) -> str:
    """The kernel's text with a loop over the part of the summed axis that holds more than zeros."""
    inner, loop, left = "    inner = tl.arange(0, BK)\n", "range(0, K, BK)", "left = inner < K - start"
    assert all(kernel.count(part) == 1 for part in (inner, loop, left)), "the kernel's text is another"
    bounds = "".join(f"    {line}\n" for line in triangle.bounds)
    kernel = kernel.replace(inner, f"{bounds}    inner = begin + tl.arange(0, BK)\n")
    return kernel.replace(loop, "range(begin, end, BK)").replace(left, "left = inner < K + begin - start")


def _strides(operand: Operand, side: int, depth: int) -> tuple[int, int, int, int]:
    """Of a batch, along the side that stays, along the summed axis; and of the units' batch. Weights lie by rows."""
    if operand.rows or operand.weight:
        return side * depth, depth, 1, side
    width = filled(side, WIDE)
    return width * depth, 1, width, side


def _type(graph: Graph, position: int) -> TensorType:
    type_ = graph.nodes[position].type
    if not isinstance(type_, TensorType):
        raise TypeError("a tuple is no operand")
    return type_
