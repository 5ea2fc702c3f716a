"""The e-graph: the one module that speaks egglog (>= 13.2, < 15), through its language and its bindings.

Terms carry our own numbers. ``(T 7)`` names the class of term 7; ``(N2 "mul" 31 (T 3) (T 5))`` is an operation whose
attributes and types are signature 31. egglog keeps equality and congruence, finds the matches of all patterns by joins,
and extracts. It has no time limit of its own: callers bound the rounds, and run it where it can be killed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from egglog import bindings

from kernelwright.authors.rewriter.rule import Pattern

WIDEST = 8
"""Arguments that a constructor of fixed arity takes; wider operations hold theirs in a vector, and match no pattern."""


@dataclass(frozen=True, slots=True)
class Found:
    """One place where a pattern holds: classes by term number."""

    pattern: int
    operations: tuple[tuple[int, int], ...]
    """Per operation of the pattern, outermost first: its class and its signature."""
    variables: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One operation of an extracted graph. ``args`` are positions in the list it stands in."""

    op: str
    signature: int
    args: tuple[int, ...]


Price = Callable[[int, bool], int]
"""The cost of an operation, by signature, and whether it depends on an input. Always positive."""


@dataclass(frozen=True, slots=True)
class _DagCost:
    """What a term costs with everything below it, each shared operation counted once (greedy DAG extraction)."""

    total: int = 0
    live: bool = False
    parts: dict[int, int] = field(default_factory=dict)
    """Price by e-node."""

    def __lt__(self, other: "_DagCost") -> bool:
        return self.total < other.total

    def __le__(self, other: "_DagCost") -> bool:
        return self.total <= other.total

    def __gt__(self, other: "_DagCost") -> bool:
        return self.total > other.total

    def __ge__(self, other: "_DagCost") -> bool:
        return self.total >= other.total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DagCost) and self.total == other.total

    def __hash__(self) -> int:
        return hash(self.total)


class EGraph:
    """Equal terms, and where the patterns hold among them."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = patterns
        self._graph = bindings.EGraph()
        self._pending: list[str] = []
        self._terms = 0
        lines = ["(sort Term)", "(sort Terms (Vec Term))", "(constructor T (i64) Term :unextractable)", "(ruleset search)"]
        for arity in range(WIDEST + 1):
            lines.append(f"(constructor N{arity} (String i64 {'Term ' * arity}) Term)")
        lines.append("(constructor Nv (String i64 Terms) Term)")
        for index, pattern in enumerate(patterns):
            lines += _search_rule(index, pattern)
        self._run("\n".join(lines))

    def insert(self, term: int, op: str, signature: int, args: Sequence[int]) -> None:
        """Says what a term is: an operation on the classes of other terms."""
        shown = " ".join(f"(T {a})" for a in args)
        call = f'N{len(args)} "{op}" {signature} {shown}' if len(args) <= WIDEST else f'Nv "{op}" {signature} (vec-of {shown})'
        self._pending.append(f"(union (T {term}) ({call}))")
        self._terms = max(self._terms, term + 1)

    def union(self, a: int, b: int) -> None:
        """Says that two terms are equal."""
        self._pending.append(f"(union (T {a}) (T {b}))")

    def search(self) -> tuple[list[int], list[Found]]:
        """Restores congruence and looks for all patterns: per term a number of its class, and every match there is."""
        self._run("\n".join([*self._pending, "(run-schedule (run search))"]))
        self._pending.clear()
        functions = self._graph.freeze().functions
        first: dict[bindings.Value, int] = {}
        groups = [0] * self._terms
        for row in sorted(((self._integer(r.inputs[0]), r.output) for r in functions["T"].rows), key=lambda r: r[0]):
            groups[row[0]] = first.setdefault(row[1], row[0])
        found: list[Found] = []
        for index, pattern in enumerate(self.patterns):
            count = len(pattern.operations())
            for row in functions[f"found{index}"].rows:
                values = row.inputs
                operations = tuple((first[values[2 * k]], self._integer(values[2 * k + 1])) for k in range(count))
                found.append(Found(index, operations, tuple(first[v] for v in values[2 * count :])))
        return groups, found

    def extract(self, root: int, price: Price) -> list[Chosen]:
        """The cheapest graph of the class of ``root``, arguments before what uses them, the root last.

        ``search`` must have run since the last change.
        """
        heads: list[tuple[str, int]] = []
        known: dict[tuple[str, tuple[bindings.Value, ...]], int] = {}

        def head(name: str, args: list[bindings.Value]) -> int:
            key = (name, tuple(args))
            if key not in known:
                known[key] = len(heads)
                heads.append((self._graph.value_to_string(args[0]), self._integer(args[1])))
            return known[key]

        def fold(name: str, index: int, children: list[_DagCost]) -> _DagCost:
            op, signature = heads[index]
            below = _together(children)
            live = below.live or op == "input"
            own = price(signature, live)
            parts = below.parts | {index: own}
            return _DagCost(sum(parts.values()), live, parts)

        model = bindings.CostModel(
            fold, head, lambda sort, value, elements: _together(elements), lambda sort, value: _DagCost()
        )
        extractor = bindings.Extractor(["Term"], self._graph, model)
        dag = bindings.TermDag()
        value = next(
            row.output for row in self._graph.freeze().functions["T"].rows if self._integer(row.inputs[0]) == root
        )
        _, picked = extractor.extract_best(self._graph, dag, value, "Term")
        return _chosen(dag, picked)

    def _integer(self, value: bindings.Value) -> int:
        return self._graph.value_to_i64(value)

    def _run(self, program: str) -> None:
        self._graph.run_program(*self._graph.parse_program(program))


def _search_rule(index: int, pattern: Pattern) -> list[str]:
    """A relation that collects the matches of one pattern, and the rule that fills it."""
    operations = pattern.operations()
    number = {id(p): k for k, p in enumerate(operations)}
    facts: list[str] = []
    for k, p in enumerate(operations):
        args = " ".join(f"o{number[id(a)]}" if isinstance(a, Pattern) else f"v_{a}" for a in p.args)
        facts.append(f'(= o{k} (N{len(p.args)} "{p.op}" s{k} {args}))')
    variables = pattern.variables()
    columns = [*(c for k in range(len(operations)) for c in (f"o{k}", f"s{k}")), *(f"v_{v}" for v in variables)]
    sorts = "Term i64 " * len(operations) + "Term " * len(variables)
    return [
        f"(relation found{index} ({sorts}))",
        f"(rule ({' '.join(facts)}) ((found{index} {' '.join(columns)})) :ruleset search)",
    ]


def _together(costs: Iterable[_DagCost]) -> _DagCost:
    parts: dict[int, int] = {}
    live = False
    for cost in costs:
        parts |= cost.parts
        live = live or cost.live
    return _DagCost(sum(parts.values()), live, parts)


def _chosen(dag: bindings.TermDag, root: int) -> list[Chosen]:
    """The extracted terms in topological order."""
    done: dict[int, int] = {}
    result: list[Chosen] = []
    stack = [root]
    while stack:
        term = dag.get(stack[-1])
        assert isinstance(term, bindings.TermApp)
        children = list(term.args[2:])
        if term.name == "Nv":
            vector = dag.get(children[0])
            assert isinstance(vector, bindings.TermApp)
            children = list(vector.args)
        missing = [c for c in children if c not in done]
        if missing:
            stack += reversed(missing)
            continue
        current = stack.pop()
        if current not in done:
            op, signature = (dag.get(a) for a in term.args[:2])
            assert isinstance(op, bindings.TermLit) and isinstance(signature, bindings.TermLit)
            done[current] = len(result)
            result.append(Chosen(str(op.value.value), int(signature.value.value), tuple(done[c] for c in children)))  # type: ignore[union-attr,arg-type]
    return result
