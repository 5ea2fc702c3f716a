"""The e-graph: the one module that speaks egglog (>= 13.2, < 15), through its language and its bindings.

Terms carry our own numbers. ``(T 7)`` names the class of term 7; ``(N2 "mul" 31 (T 3) (T 5))`` is an operation whose
attributes and types are signature 31. egglog keeps equality and congruence, and finds the matches of all patterns by
joins. It has no time limit of its own: callers bound the rounds, and run it where it can be killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from egglog import bindings

from kernelwright.authors.rewriter.extract import Form
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


class EGraph:
    """Equal terms, and where the patterns hold among them."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = patterns
        self._graph = bindings.EGraph()
        self._pending: list[str] = []
        self._terms = 0
        lines = [
            "(sort Term)",
            "(sort Terms (Vec Term))",
            "(constructor T (i64) Term :unextractable)",
            "(ruleset search)",
        ]
        for arity in range(WIDEST + 1):
            lines.append(f"(constructor N{arity} (String i64 {'Term ' * arity}) Term)")
        lines.append("(constructor Nv (String i64 Terms) Term)")
        for index, pattern in enumerate(patterns):
            lines += _search_rule(index, pattern)
        self._run("\n".join(lines))

    def insert(self, term: int, op: str, signature: int, args: Sequence[int]) -> None:
        """Says what a term is: an operation on the classes of other terms."""
        shown = " ".join(f"(T {a})" for a in args)
        call = (
            f'N{len(args)} "{op}" {signature} {shown}'
            if len(args) <= WIDEST
            else f'Nv "{op}" {signature} (vec-of {shown})'
        )
        self._pending.append(f"(union (T {term}) ({call}))")
        self._terms = max(self._terms, term + 1)

    def union(self, a: int, b: int) -> None:
        """Says that two terms are equal."""
        self._pending.append(f"(union (T {a}) (T {b}))")

    def search(self) -> tuple[list[int], list[Found]]:
        """Restores congruence and looks for all patterns: per term the smallest one of its class, and every match."""
        self._run("\n".join([*self._pending, "(run-schedule (run search))"]))
        self._pending.clear()
        functions = self._graph.freeze().functions
        groups, first = self._classes(functions["T"].rows)
        found: list[Found] = []
        for index, pattern in enumerate(self.patterns):
            count = len(pattern.operations())
            for row in functions[f"found{index}"].rows:
                values = row.inputs
                operations = tuple((first[values[2 * k]], self._integer(values[2 * k + 1])) for k in range(count))
                found.append(Found(index, operations, tuple(first[v] for v in values[2 * count :])))
        return groups, found

    def forms(self) -> list[Form]:
        """Every operation of every class, by term number. ``search`` must have run since the last change."""
        functions = self._graph.freeze().functions
        _, first = self._classes(functions["T"].rows)
        found: list[Form] = []
        for name in [*(f"N{n}" for n in range(WIDEST + 1)), "Nv"]:
            for row in functions[name].rows:
                op, signature, *rest = row.inputs
                args = self._graph.value_to_vec(rest[0]) if name == "Nv" else rest
                found.append(
                    Form(
                        first[row.output],
                        self._graph.value_to_string(op),
                        self._integer(signature),
                        tuple(first[a] for a in args),
                    )
                )
        return sorted(found, key=lambda form: (form.signature, form.group, form.args))

    def _classes(self, rows: Sequence[bindings.FrozenRow]) -> tuple[list[int], dict[bindings.Value, int]]:
        """Per term the smallest term of its class, and that number by class."""
        first: dict[bindings.Value, int] = {}
        groups = [0] * self._terms
        for term, group in sorted(((self._integer(r.inputs[0]), r.output) for r in rows), key=lambda pair: pair[0]):
            groups[term] = first.setdefault(group, term)
        return groups, first

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
