"""Which rules led from the old graph to the new one. Imports no torch."""

from collections import deque
from dataclasses import dataclass

from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.rewriter.terms import Terms

SILENT = frozenset(
    {
        "fold-numbers",
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


def annotate(
    graph: Graph, node_terms: list[int], terms: Terms, steps: list[Step], original: int
) -> tuple[Graph, tuple[str, ...]]:
    """The graph with a note at each node that a rule brought in, and the names of all rules on the way.

    ``original`` is the number of terms before the first step: those below it are the reference's own.
    """
    edges: dict[int, list[tuple[int, Step]]] = {}
    made_by: dict[int, Step] = {}
    for step in steps:
        edges.setdefault(step.old, []).append((step.new, step))
        edges.setdefault(step.new, []).append((step.old, step))
        made_by.setdefault(step.new, step)
    chosen = set(node_terms)
    old_forms: dict[int, list[int]] = {}
    for term in range(original):
        old_forms.setdefault(terms.classes[term], []).append(term)
    notes: dict[int, str] = {}
    applied: list[str] = []
    for position, term in enumerate(node_terms):
        replaced = [o for o in old_forms.get(terms.classes[term], []) if o not in chosen]
        if graph.nodes[position].op == "const" or not replaced:
            continue
        names = _explain(term, replaced, edges, made_by, original)
        applied += [n for n in names if n not in applied]
        loud = [n for n in names if n not in SILENT]
        if loud and term not in replaced:
            notes[position] = ", ".join(loud)
    return Graph(graph.nodes, graph.outputs, tuple(notes.items())), tuple(applied)


def _explain(
    term: int, replaced: list[int], edges: dict[int, list[tuple[int, Step]]], made_by: dict[int, Step], original: int
) -> list[str]:
    """Names of the rules that make ``term`` equal to one of the terms it stands in for, in order of use."""
    path = _path(replaced, term, edges)
    pending = deque(path)
    seen: set[int] = set()
    names: list[str] = []
    while pending:
        step = pending.popleft()
        if step.rule not in names:
            names.append(step.rule)
        for used in step.used:
            if used >= original and used in made_by and used not in seen:
                seen.add(used)
                pending.append(made_by[used])
    return names


def _path(starts: list[int], goal: int, edges: dict[int, list[tuple[int, Step]]]) -> list[Step]:
    """The shortest chain of steps from any start to the goal; empty where equality came by congruence alone."""
    came: dict[int, tuple[int, Step] | None] = dict.fromkeys(starts)
    queue = deque(starts)
    while queue:
        here = queue.popleft()
        if here == goal:
            break
        for there, step in edges.get(here, []):
            if there not in came:
                came[there] = (here, step)
                queue.append(there)
    path: list[Step] = []
    here = goal
    while (link := came.get(here)) is not None:
        here, step = link
        path.append(step)
    return path[::-1]
