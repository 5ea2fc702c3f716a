"""Terms: the hash-consed table of everything that was ever said about a Graph, and the handles that rules work with.

A term is a node whose arguments are classes of equal terms. The e-graph decides which terms are equal; this table knows
what each one is: operation, attributes, type, facts. Imports no torch.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.authors.graph.ir import SCALAR, Graph, Node, TensorType, TupleType, Type, attributes
from kernelwright.authors.graph.ops import VOCABULARY
from kernelwright.authors.rewriter.facts import NOTHING, Facts, facts_of

Key = tuple[str, tuple[int, ...], tuple[tuple[str, Any], ...], Type]


@dataclass(frozen=True, slots=True)
class Term:
    """A handle on one term: what rules read and combine."""

    table: "Terms"
    id: int

    @property
    def node(self) -> Node:
        return self.table.nodes[self.id]

    @property
    def op(self) -> str:
        return self.node.op

    @property
    def attr(self) -> dict[str, Any]:
        return self.node.attr

    @property
    def type(self) -> TensorType:
        """The tensor's type. ``TypeError`` for a tuple, which no rule takes apart."""
        found = self.node.type
        if isinstance(found, TupleType):
            raise TypeError("a tuple")
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def rank(self) -> int:
        return self.type.rank

    @property
    def facts(self) -> Facts:
        return self.table.facts(self.id)

    @property
    def weight_only(self) -> bool:
        return self.facts.weight_only

    @property
    def value(self) -> float | None:
        """The one number that all elements are, where that is known."""
        return self.facts.value


class Terms:
    """The table. ``classes`` maps each term to the one that stands for its class, as of the last ``regroup``."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.classes: list[int] = []
        self._known: dict[Key, int] = {}
        self._facts: dict[int, Facts] = {}

    def insert(self, node: Node) -> int:
        """The term for this node, whose arguments are terms. Equal nodes are one term."""
        args = tuple(self.classes[a] for a in node.args)
        key: Key = (node.op, args, node.attrs, node.type)
        found = self._known.get(key)
        if found is None:
            found = len(self.nodes)
            self._known[key] = found
            self.nodes.append(Node(node.op, args, node.attrs, node.type))
            self.classes.append(found)
            self._facts[found] = facts_of(node, [self.facts(a) for a in args])
        return found

    def key(self, term: int) -> "Key":
        """What makes terms congruent: operation, classes of the arguments, attributes, type."""
        node = self.nodes[term]
        return node.op, tuple(self.classes[a] for a in node.args), node.attrs, node.type

    def insert_graph(self, graph: Graph) -> list[int]:
        """The terms of all nodes of a Graph, by position."""
        placed: list[int] = []
        for node in graph.nodes:
            placed.append(self.insert(Node(node.op, tuple(placed[a] for a in node.args), node.attrs, node.type)))
        return placed

    def regroup(self, groups: Sequence[Hashable]) -> None:
        """Takes over which terms are equal (those of one group), and what that says about each class.

        A class is represented by a number or a filled tensor where it holds one, else by its oldest term.
        """
        speaker: dict[Hashable, int] = {}
        for term, group in enumerate(groups):
            best = speaker.setdefault(group, term)
            if _rank(self.nodes[term].op) < _rank(self.nodes[best].op):
                speaker[group] = term
        self.classes = [speaker[group] for group in groups]
        self._known = {}
        for term in range(len(self.nodes)):
            self._known.setdefault(self.key(term), term)
        known: dict[int, Facts] = {}
        changed = True
        while changed:
            changed = False
            for term, node in enumerate(self.nodes):
                group = self.classes[term]
                old = known.get(group, NOTHING)
                new = old.meet(facts_of(node, [known.get(self.classes[a], NOTHING) for a in node.args]))
                if new != old or group not in known:
                    known[group] = new
                    changed = True
        self._facts = known

    def forms(self) -> Counter[int]:
        """Per class the number of different terms, as of the last ``regroup``."""
        return Counter(self.classes[term] for term in self._known.values())

    def uniform(self) -> list[tuple[int, int]]:
        """Pairs of a weight-only term whose elements are all one known number, and the filled tensor it equals."""
        found: list[tuple[int, int]] = []
        for group, facts in list(self._facts.items()):
            node = self.nodes[group]
            if facts.value is None or not facts.weight_only or node.op in ("const", "full"):
                continue
            if isinstance(node.type, TensorType) and node.type.floating:
                found.append((group, self.full(node.type, facts.value).id))
            elif isinstance(node.type, TensorType) and node.type.dtype == SCALAR:
                found.append((group, self.const(facts.value).id))
        return found

    def facts(self, term: int) -> Facts:
        return self._facts[self.classes[term]]

    # -- building, for rules -----------------------------------------------------------------------------------

    def make(self, op: str, *args: "Term | float", **attrs: Any) -> Term:
        """A vocabulary operation. ``TypeError`` where its inference refuses."""
        terms = [a if isinstance(a, Term) else self.const(a) for a in args]
        packed = attributes(**attrs)
        type_: Type = VOCABULARY[op].infer(dict(packed), [t.type for t in terms])
        return Term(self, self.insert(Node(op, tuple(t.id for t in terms), packed, type_)))

    def const(self, value: float) -> Term:
        """A Python number."""
        return Term(self, self.insert(Node("const", (), attributes(value=value), TensorType((), SCALAR))))

    def full(self, type_: TensorType, value: float) -> Term:
        """A tensor of one value."""
        return Term(self, self.insert(Node("full", (), attributes(value=value), type_)))

    def add(self, a: Term, b: "Term | float") -> Term:
        return self.make("add", a, b)

    def mul(self, a: Term, b: "Term | float") -> Term:
        return self.make("mul", a, b)

    def linear(self, x: Term, weight: Term, *bias: Term) -> Term:
        return self.make("linear", x, weight, *bias)

    def matmul(self, a: Term, b: Term) -> Term:
        return self.make("matmul", a, b)

    def reduce(self, op: str, x: Term, dims: Sequence[int]) -> Term:
        """A reduction that keeps its axes at size one; ``x`` itself where there is nothing to reduce."""
        dims = tuple(sorted(dims))
        return self.make(op, x, dims=dims, keepdim=True) if dims else x

    def sum(self, x: Term, dims: Sequence[int]) -> Term:
        return self.reduce("sum", x, dims)

    def reshape(self, x: Term, shape: Sequence[int]) -> Term:
        return x if x.shape == tuple(shape) else self.make("reshape", x, shape=tuple(shape))

    def permute(self, x: Term, dims: Sequence[int]) -> Term:
        return x if list(dims) == list(range(x.rank)) else self.make("permute", x, dims=tuple(dims))


def _rank(op: str) -> int:
    """Which form of a value says most about it."""
    return {"const": 0, "full": 1}.get(op, 2)
