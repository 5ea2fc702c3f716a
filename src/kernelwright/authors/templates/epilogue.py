"""Pointwise operations of a Graph as lines of a Triton kernel, and which of them can follow a product in its kernel."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, Node, TensorType

Args = Sequence[str]


def _clamp(attr: Mapping[str, object], args: Args) -> str:
    code = args[0]
    if attr["min"] is not None:
        code = _maximum(code, repr(attr["min"]))
    return code if attr["max"] is None else _minimum(code, repr(attr["max"]))


def _maximum(a: str, b: str) -> str:
    return f"tl.maximum({a}, {b}, propagate_nan=tl.PropagateNan.ALL)"


def _minimum(a: str, b: str) -> str:
    return f"tl.minimum({a}, {b}, propagate_nan=tl.PropagateNan.ALL)"


def _gelu(attr: Mapping[str, object], args: Args) -> str:
    x = args[0]
    if attr["approximate"] == "tanh":
        return f"0.5 * {x} * (1.0 + libdevice.tanh(0.7978845608028654 * ({x} + 0.044715 * {x} * {x} * {x})))"
    return f"0.5 * {x} * (1.0 + tl.erf({x} * 0.7071067811865476))"


def _softplus(x: str) -> str:
    return f"tl.where({x} > 20.0, {x}, libdevice.log1p(libdevice.exp({x})))"


def _mish(x: str) -> str:
    """tanh(log(1 + e)) is n / (n + 2) with n = e² + 2e and e = exp(x): one exponential, and 1 from 20 on."""
    e = f"libdevice.exp(tl.minimum({x}, 20.0))"
    n = f"({e} * ({e} + 2.0))"
    return f"{x} * tl.div_rn({n}, {n} + 2.0)"


def _power(attr: Mapping[str, object], args: Args) -> str:
    x, exponent = args[0], attr["exponent"]
    if exponent == 2:
        return f"{x} * {x}"
    if exponent == 3:
        return f"{x} * {x} * {x}"
    return f"libdevice.pow({x}, {float(str(exponent))!r})"


def _ramp(x: str) -> str:
    return f"tl.minimum(tl.maximum({x} + 3.0, 0.0), 6.0) * (1.0 / 6.0)"


EXPRESSIONS: dict[str, Callable[[Mapping[str, object], Args], str]] = {
    "add": lambda attr, args: f"{args[0]} + {args[1]}",
    "sub": lambda attr, args: f"{args[0]} - {args[1]}",
    "mul": lambda attr, args: f"{args[0]} * {args[1]}",
    "div": lambda attr, args: f"tl.div_rn({args[0]}, {args[1]})",
    "maximum": lambda attr, args: _maximum(*args),
    "minimum": lambda attr, args: _minimum(*args),
    "relu": lambda attr, args: _maximum(args[0], "0.0"),
    "clamp": _clamp,
    "neg": lambda attr, args: f"-{args[0]}",
    "abs": lambda attr, args: f"tl.abs({args[0]})",
    "leaky_relu": lambda attr, args: f"tl.where({args[0]} > 0, {args[0]}, {attr['slope']!r} * {args[0]})",
    "reciprocal": lambda attr, args: f"tl.div_rn(1.0, {args[0]})",
    "sqrt": lambda attr, args: f"tl.sqrt_rn({args[0]})",
    "rsqrt": lambda attr, args: f"tl.div_rn(1.0, tl.sqrt_rn({args[0]}))",
    "sigmoid": lambda attr, args: f"1.0 / (1.0 + libdevice.exp(-{args[0]}))",
    "silu": lambda attr, args: f"{args[0]} / (1.0 + libdevice.exp(-{args[0]}))",
    "tanh": lambda attr, args: f"libdevice.tanh({args[0]})",
    "exp": lambda attr, args: f"libdevice.exp({args[0]})",
    "log": lambda attr, args: f"libdevice.log({args[0]})",
    "erf": lambda attr, args: f"tl.erf({args[0]})",
    "gelu": _gelu,
    "softplus": lambda attr, args: _softplus(args[0]),
    "mish": lambda attr, args: _mish(args[0]),
    "hardsigmoid": lambda attr, args: _ramp(args[0]),
    "hardswish": lambda attr, args: f"{args[0]} * ({_ramp(args[0])})",
    "power": _power,
}
"""The vocabulary's pointwise operations on float32 values. Division is rounded, as PyTorch's is."""


@dataclass(frozen=True, slots=True)
class Epilogue:
    """What a product's kernel does with its result before it is stored."""

    result: int
    """Position of the node that is stored; the product itself where nothing follows."""
    operands: tuple[int, ...]
    """Positions of the other tensors that it reads."""
    lines: tuple[str, ...]
    """Statements that turn the float32 block ``x`` into the result, in ``x`` again."""
    nodes: frozenset[int] = frozenset()
    """Positions of everything that is computed in the kernel, the product's own among them."""


Reads = Callable[[tuple[int, ...], tuple[int, ...], str], str | None]
"""How a block of a result reads an operand, by the result's shape, the operand's (of the same rank, padded with ones)
and the name of its pointer; ``None`` where its broadcast is another."""


def epilogue(graph: Graph, product: int, reads: Reads, taken: Collection[int] = ()) -> Epilogue:
    """The longest run of pointwise work after the node ``product`` that nothing outside sees the middle of.

    ``taken``: positions that another kernel computes.
    """
    inside = _reach(graph, product, reads, taken)
    users = users_of(graph)
    for result in sorted(inside, reverse=True):
        chain = _below(graph, result, inside)
        if product in chain and all(users[p] <= chain for p in chain if p != result):
            break
    else:
        raise AssertionError("the product alone is always such a run")
    return _written(graph, product, result, sorted(chain), reads)


def _reach(graph: Graph, product: int, reads: Reads, taken: Collection[int]) -> set[int]:
    """The product and all pointwise work of its shape that needs nothing else which comes from the product."""
    shape = graph.nodes[product].type
    inside, tainted = {product}, {product}
    for position in range(product + 1, len(graph.nodes)):
        node = graph.nodes[position]
        if not tainted & set(node.args):
            continue
        fits = node.op in EXPRESSIONS and node.type == shape and position not in taken
        if fits and all(a in inside or (a not in tainted and _readable(graph, a, product, reads)) for a in node.args):
            inside.add(position)
        tainted.add(position)
    return inside


def _below(graph: Graph, result: int, inside: set[int]) -> set[int]:
    chain, stack = {result}, [result]
    while stack:
        for arg in graph.nodes[stack.pop()].args:
            if arg in inside and arg not in chain:
                chain.add(arg)
                stack.append(arg)
    return chain


def _readable(graph: Graph, operand: int, product: int, reads: Reads) -> bool:
    node = graph.nodes[operand]
    return node.op == "const" or _load(node, _type(graph.nodes[product]), "", reads) is not None


def _load(node: Node, out: TensorType, name: str, reads: Reads) -> str | None:
    """The expression that reads this tensor's part of a block; ``None`` where it cannot be read so."""
    type_ = node.type
    if not isinstance(type_, TensorType) or type_.dtype != out.dtype or type_.rank > out.rank:
        return None
    if type_.elements == 1:
        return f"tl.load({name})"
    shape = (1,) * (out.rank - type_.rank) + type_.shape
    if shape == out.shape:
        return f"tl.load({name} + place, mask=inside, other=0.0)"
    return reads(out.shape, shape, name)


def _written(graph: Graph, product: int, result: int, chain: Sequence[int], reads: Reads) -> Epilogue:
    out = _type(graph.nodes[product])
    statements = Statements(graph, {product: "x"})
    last = {arg: p for p in chain for arg in graph.nodes[p].args}
    lines = statements.write(
        [p for p in chain if p != product],
        lambda operand, name: _load(graph.nodes[operand], out, name, reads),
        # the block's name goes on with the value that takes its place
        dying=lambda position: [a for a in graph.nodes[position].args if a in chain and last[a] == position],
    )
    if statements.names[result] != "x":
        lines.append(f"x = {statements.names[result]}")
    return Epilogue(result, tuple(statements.operands), tuple(lines), frozenset(chain))


Load = Callable[[int, str], str | None]
"""The expression that reads the operand at a position through the pointer of a name; ``None`` where none does."""


class Statements:
    """Pointwise nodes as lines of a kernel. ``names``: what their values are called, by position."""

    def __init__(self, graph: Graph, names: Mapping[int, str]) -> None:
        self._graph = graph
        self.names = dict(names)
        self.operands: list[int] = []
        """Positions of the tensors that are read, ``e0``, ``e1`` … through ``e0_pointer``, ``e1_pointer`` …"""

    def write(
        self, chain: Sequence[int], load: Load, dying: Callable[[int], Sequence[int]] = lambda position: ()
    ) -> list[str]:
        """Lines that compute the nodes of ``chain``. ``dying``: arguments of a node whose names it may take over."""
        lines: list[str] = []
        for position in chain:
            node = self._graph.nodes[position]
            for arg in node.args:
                lines += self.read(arg, load)
            free = dying(position)
            name = self.names[free[0]] if free else f"x{position}"
            lines.append(f"{name} = {EXPRESSIONS[node.op](node.attr, [self.names[a] for a in node.args])}")
            self.names[position] = name
        return lines

    def read(self, operand: int, load: Load) -> list[str]:
        """The line that reads a tensor, where it has no name yet."""
        if operand in self.names:
            return []
        node = self._graph.nodes[operand]
        if node.op == "const":
            self.names[operand] = repr(float(node.attr["value"]))
            return []
        name = f"e{len(self.operands)}"
        self.names[operand] = name
        self.operands.append(operand)
        return [f"{name} = {load(operand, f'{name}_pointer')}"]


def prologue(chain: set[int], users: Sequence[set[int]], free: Callable[[int], bool]) -> set[int]:
    """Pointwise work that nothing but ``chain`` sees, from its end upwards. ``free``: may this node move there?"""
    before: set[int] = set()
    for position in range(max(chain) - 1, -1, -1):
        if position not in chain and users[position] and users[position] <= chain | before and free(position):
            before.add(position)
    return before


def users_of(graph: Graph) -> list[set[int]]:
    """Per node the positions of those that read it; of an output also the one behind the last."""
    users: list[set[int]] = [set() for _ in graph.nodes]
    for position, node in enumerate(graph.nodes):
        for arg in node.args:
            users[arg].add(position)
    for out in graph.outputs:
        users[out].add(len(graph.nodes))
    return users


def _type(node: Node) -> TensorType:
    assert isinstance(node.type, TensorType)
    return node.type
