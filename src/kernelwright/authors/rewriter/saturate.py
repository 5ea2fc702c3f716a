"""Equality saturation of one Graph: rounds of matching and building, then the cheapest equal graph.

Imports no torch.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph, Node, TupleType, Type
from kernelwright.authors.rewriter.cost import WEIGHT_ONLY, Machine, cost_of, price
from kernelwright.authors.rewriter.egraph import EGraph, Found
from kernelwright.authors.rewriter.explain import Step, annotate
from kernelwright.authors.rewriter.extract import extract
from kernelwright.authors.rewriter.rule import Match, Rule
from kernelwright.authors.rewriter.terms import Term, Terms

MOST_FORMS = 16
"""Of one value: what rules find beyond this many is, as a rule, another way to write the same work on weights."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When saturation ends, saturated or not."""

    rounds: int = 12
    terms: int = 4000
    seconds: float = 15.0
    forms: int = MOST_FORMS


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The cheapest graph that was found. ``cost`` is in the units of the cost model."""

    graph: Graph
    cost_before: int
    cost: int
    applied: tuple[str, ...]
    """Names of the rules on the way from the old graph to the new one."""
    rounds: int
    terms: int
    saturated: bool
    """No rule had anything to add."""


class Saturation:
    """The state of one run; ``steps`` is what every rule did, in order."""

    def __init__(self, graph: Graph, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self.terms = Terms()
        self.steps: list[Step] = []
        self._patterns = [(rule, pattern) for rule in rules for pattern in rule.patterns]
        self._egraph = EGraph([pattern for _, pattern in self._patterns])
        self._signatures: dict[tuple[object, ...], int] = {}
        self._signed: list[tuple[Node, tuple[Type, ...]]] = []
        self._sent = 0
        self._groups: list[int] = []
        self._fired: set[tuple[object, ...]] = set()
        graph = graph.pruned()
        self.placed = self.terms.insert_graph(graph)
        types = tuple(graph.nodes[o].type for o in graph.outputs)
        self.root = self.terms.insert(
            Node("outputs", tuple(self.placed[o] for o in graph.outputs), (), TupleType(types))
        )
        self.original = len(self.terms.nodes)
        self._send()

    def round(self, deadline: float, most_terms: int, most_forms: int = MOST_FORMS) -> bool:
        """One round: find, build, unite. False when nothing was new."""
        groups, matches = self._search()
        self.terms.regroup(groups)
        forms = self.terms.forms()
        changed = False
        for old, new in self.terms.uniform():
            changed |= self._unite(Step("known-value", old, new, ()))
        for found in matches:
            if time.monotonic() > deadline or len(self.terms.nodes) > most_terms:
                break
            rule, _ = self._patterns[found.pattern]
            root = self.terms.classes[found.operations[0][0]]
            if forms[root] >= most_forms:
                continue
            step = self._apply(rule, found)
            if step is not None:
                forms[root] += 1
                changed |= self._unite(step)
        return changed

    def _search(self) -> tuple[list[int], list[Found]]:
        """Classes and matches, of terms too that a rule made before it refused."""
        self._send()
        return self._egraph.search()

    def _unite(self, step: Step) -> bool:
        self._send()
        self._egraph.union(step.old, step.new)
        self.steps.append(step)
        return True

    def finish(self) -> None:
        """Takes over the last unions."""
        self._groups, _ = self._search()
        self.terms.regroup(self._groups)

    def _apply(self, rule: Rule, found: Found) -> Step | None:
        classes = self.terms.classes
        key = (
            found.pattern,
            tuple((classes[c], s) for c, s in found.operations),
            tuple(classes[v] for v in found.variables),
        )
        if key in self._fired:
            return None
        root = key[1][0][0]
        if root in key[2] or any(c == root for c, _ in key[1][1:]):
            return None  # a term inside itself (x = x·1): some shorter form of it is known already
        match, used = self._match(found)
        if match is None or (match.root.weight_only and not rule.on_weights):
            return None
        try:
            made = rule.build(self.terms, match)
        except TypeError:
            return None  # shapes or dtypes do not fit: a side condition like any other
        if made is None:
            return None
        self._fired.add(key)
        if made.node.type != match.root.node.type:
            raise AssertionError(f"{rule.name} made {made.node.type} of {match.root.node.type}")
        if classes[made.id] == classes[match.root.id]:
            return None
        return Step(rule.name, match.root.id, made.id, tuple(used))

    def _match(self, found: Found) -> tuple[Match | None, list[int]]:
        """The terms that a match stands for: the oldest with that operation and signature in each class."""
        _, pattern = self._patterns[found.pattern]
        named: dict[str, Term] = {}
        variables = dict(zip(pattern.variables(), found.variables, strict=True))
        classes = {id(p): c for p, (c, _) in zip(pattern.operations(), found.operations, strict=True)}
        used: list[int] = []
        for p, (_, signature) in zip(pattern.operations(), found.operations, strict=True):
            node, _ = self._signed[signature]
            args = tuple(variables[a] if isinstance(a, str) else classes[id(a)] for a in p.args)
            term = self.terms.insert(Node(node.op, args, node.attrs, node.type))
            named.setdefault(p.tag, Term(self.terms, term))
            used.append(term)
        for name, group in variables.items():
            named[name] = Term(self.terms, self.terms.classes[group])
        return Match(Term(self.terms, used[0]), named), used

    def _send(self) -> None:
        """Tells the e-graph of terms that are new since the last time."""
        for term in range(self._sent, len(self.terms.nodes)):
            node = self.terms.nodes[term]
            args = tuple(self.terms.nodes[a].type for a in node.args)
            key = (node.op, node.attrs, args, node.type)
            if key not in self._signatures:
                self._signatures[key] = len(self._signed)
                self._signed.append((node, args))
            self._egraph.insert(term, node.op, self._signatures[key], node.args)
        self._sent = len(self.terms.nodes)

    def cheapest(self, machine: Machine) -> tuple[Graph, list[int]]:
        """The cheapest graph, and the term of each of its nodes."""
        kept = {self._signature_of(t) for t in range(self.original)}

        def cost(signature: int, live: bool) -> int:
            node, args = self._signed[signature]
            own = 4 * price(node, args, machine) if live else 4 * WEIGHT_ONLY
            return own + (signature not in kept)  # between equals, what the reference wrote

        nodes: list[Node] = []
        terms: list[int] = []
        for chosen in extract(self._egraph.forms(), self._groups[self.root], cost):
            node, _ = self._signed[chosen.signature]
            made = Node(node.op, chosen.args, node.attrs, node.type)
            nodes.append(made)
            terms.append(self.terms.insert(Node(node.op, tuple(terms[a] for a in chosen.args), node.attrs, node.type)))
        outputs = nodes.pop().args
        terms.pop()
        return Graph(tuple(nodes), outputs), terms

    def _signature_of(self, term: int) -> int:
        node = self.terms.nodes[term]
        return self._signatures[node.op, node.attrs, tuple(self.terms.nodes[a].type for a in node.args), node.type]


def rewrite(graph: Graph, rules: Sequence[Rule], machine: Machine, bounds: Bounds | None = None) -> Rewritten:
    """The cheapest graph equal to ``graph`` that the rules find within the bounds."""
    bounds = bounds or Bounds()
    graph = graph.pruned()
    run = Saturation(graph, rules)
    deadline = time.monotonic() + bounds.seconds
    rounds, growing = 0, True
    while growing and rounds < bounds.rounds and time.monotonic() < deadline and len(run.terms.nodes) <= bounds.terms:
        growing = run.round(deadline, bounds.terms, bounds.forms)
        rounds += 1
    run.finish()
    best, terms = run.cheapest(machine)
    before, after = cost_of(graph, machine), cost_of(best, machine)
    if after >= before:  # greedy choices can lose what several outputs shared
        return Rewritten(graph, before, before, (), rounds, len(run.terms.nodes), not growing)
    outputs = [run.placed[o] for o in graph.outputs]
    annotated, applied = annotate(best, terms, run.terms, run.steps, run.placed, outputs)
    return Rewritten(
        graph=annotated,
        cost_before=before,
        cost=after,
        applied=applied,
        rounds=rounds,
        terms=len(run.terms.nodes),
        saturated=not growing,
    )
