"""Which rules led from the old graph to the new one. Imports no torch."""

from collections import deque
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.rewriter.terms import Key, Terms

SILENT = frozenset(
    {
        "known-value",
        "weights-right",
        "merge-reshapes",
        "drop-reshape",
        "keep-axes",
        "relu-as-clamp",
        "clamp-as-relu",
        "linear-split-bias",
        "conv-split-bias",
        "number-through-view",
        "negate-as-scale",
        "subtract-as-add",
        "divide-as-scale",
        "mean-as-sum",
        "sum-as-mean",
    }
)
"""Rules that only bring terms into a common form: part of a proof, not worth a comment."""


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a rule: term ``old`` was found equal to term ``new``, because of the terms ``used``."""

    rule: str
    old: int
    new: int
    used: tuple[int, ...]


class Proofs:
    """Chains of steps between equal terms. Terms with equal arguments are linked by congruence."""

    def __init__(self, terms: Terms, steps: list[Step]) -> None:
        self.terms = terms
        self.edges: dict[int, list[tuple[int, Step | None]]] = {}
        for step in steps:
            self._link(step.old, step.new, step)
        alike: dict[Key, int] = {}
        for term in range(len(terms.nodes)):
            first = alike.setdefault(terms.key(term), term)
            if first != term:
                self._link(first, term, None)

    def _link(self, a: int, b: int, step: Step | None) -> None:
        self.edges.setdefault(a, []).append((b, step))
        self.edges.setdefault(b, []).append((a, step))

    def rules(self, a: int, b: int) -> list[str]:
        """Names of the rules that make two terms equal, those of their arguments' equality included."""
        names: list[str] = []
        pending = deque([(a, b)])
        seen = {(a, b)}
        while pending:
            here, there = pending.popleft()
            deeper: list[tuple[int, int]] = []
            for left, right, step in self._path(here, there):
                if step is None:
                    deeper += zip(self.terms.nodes[left].args, self.terms.nodes[right].args, strict=True)
                    continue
                if step.rule not in names:
                    names.append(step.rule)
                if step.rule == "known-value":
                    deeper += self._known(step.old)
                # the match saw classes: each inner term stands for the argument it was found as
                deeper += self._inner(step)
            for pair in deeper:
                if pair[0] != pair[1] and pair not in seen:
                    seen.add(pair)
                    pending.append(pair)
        return names

    def _known(self, term: int) -> list[tuple[int, int]]:
        """Which arguments of a term whose value is known had to be equal to a number or a filled tensor."""
        args = self.terms.nodes[term].args
        pairs = [(arg, self.terms.classes[arg]) for arg in args]
        return [(arg, value) for arg, value in pairs if self.terms.nodes[value].op in ("const", "full")]

    def _inner(self, step: Step) -> list[tuple[int, int]]:
        """Which arguments of the matched terms had to be equal to the inner terms of the match."""
        pairs: list[tuple[int, int]] = []
        groups = {self.terms.classes[u]: u for u in step.used[1:]}
        for used in step.used:
            for arg in self.terms.nodes[used].args:
                inner = groups.get(self.terms.classes[arg])
                if inner is not None:
                    pairs.append((arg, inner))
                elif self.terms.nodes[self.terms.classes[arg]].op in ("const", "full"):
                    pairs.append((arg, self.terms.classes[arg]))  # the rule saw its value
        return pairs

    def _path(self, start: int, goal: int) -> list[tuple[int, int, Step | None]]:
        """The shortest chain of links between two terms."""
        came: dict[int, tuple[int, Step | None] | None] = {start: None}
        queue = deque([start])
        while queue and goal not in came:
            here = queue.popleft()
            for there, step in self.edges.get(here, []):
                if there not in came:
                    came[there] = (here, step)
                    queue.append(there)
        path: list[tuple[int, int, Step | None]] = []
        here = goal
        while (link := came.get(here)) is not None:
            path.append((link[0], here, link[1]))
            here = link[0]
        return path[::-1]


def annotate(
    graph: Graph, node_terms: list[int], terms: Terms, steps: list[Step], placed: list[int], outputs: list[int]
) -> tuple[Graph, tuple[str, ...]]:
    """The graph with a note at each node that rules brought in, and the names of all rules on the way.

    ``node_terms`` are the terms of the graph's nodes, ``placed`` those of the reference's, ``outputs`` of its outputs.
    """
    proofs = Proofs(terms, steps)
    chosen = set(node_terms)
    old_forms = {terms.classes[term]: term for term in placed}  # the last one: nearest to the output
    old_forms |= {terms.classes[term]: term for term in outputs}

    def below(position: int) -> list[str]:
        """Rules behind the arguments that stand for nothing in the reference: they belong to this node's story."""
        names: list[str] = []
        for arg, stated in zip(graph.nodes[position].args, terms.nodes[node_terms[position]].args, strict=True):
            if terms.classes[stated] not in old_forms:
                names += [*proofs.rules(stated, node_terms[arg]), *below(arg)]
        return names

    notes: list[tuple[int, str]] = []
    applied: dict[str, None] = {}
    for position, term in enumerate(node_terms):
        old = old_forms.get(terms.classes[term])
        if old is None or old in chosen:
            continue
        names = [n for n in dict.fromkeys([*proofs.rules(old, term), *below(position)]) if n not in SILENT]
        applied |= dict.fromkeys(names)
        if names:
            notes.append((position, ", ".join(names)))
    return Graph(graph.nodes, graph.outputs, tuple(notes)), tuple(applied)
