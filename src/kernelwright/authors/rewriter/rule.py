"""Rules as records: what they match, why they hold, and what they build. Imports no torch."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from kernelwright.authors.rewriter.terms import Term, Terms


@dataclass(frozen=True, slots=True)
class Pattern:
    """An operation and its arguments: patterns, or the names of variables. ``tag`` names the matched term itself."""

    op: str
    args: "tuple[Pattern | str, ...]"
    tag: str

    def operations(self) -> "list[Pattern]":
        """This pattern and those inside it, outermost first."""
        return [self, *(inner for arg in self.args if isinstance(arg, Pattern) for inner in arg.operations())]

    def variables(self) -> list[str]:
        """Names of the variables, each once, in order of appearance."""
        found: list[str] = []
        for arg in self.args:
            found += [v for v in (arg.variables() if isinstance(arg, Pattern) else [arg]) if v not in found]
        return found


def parse(text: str) -> Pattern:
    """A pattern from an expression such as ``(sum (linear x w))``; ``(mul@outer …)`` names the term ``outer``."""
    tokens = re.findall(r"[()]|[\w@]+", text)

    def read(position: int) -> tuple[Pattern | str, int]:
        if tokens[position] != "(":
            return tokens[position], position + 1
        op, _, tag = tokens[position + 1].partition("@")
        position += 2
        args: list[Pattern | str] = []
        while tokens[position] != ")":
            arg, position = read(position)
            args.append(arg)
        return Pattern(op, tuple(args), tag or op), position + 1

    pattern, end = read(0)
    if end != len(tokens) or isinstance(pattern, str):
        raise ValueError(f"not a pattern: {text}")
    return pattern


class Match:
    """The terms that a pattern was found at, by name: ``m.x``, ``m.sum``. ``m.root`` is the whole."""

    def __init__(self, root: Term, terms: dict[str, Term]) -> None:
        self.root = root
        self.terms = terms

    def __getattr__(self, name: str) -> Term:
        try:
            return self.terms[name]
        except KeyError:
            raise AttributeError(name) from None


Build = Callable[[Terms, Match], Term | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One identity. ``build`` answers with a term equal to the match, or ``None`` where a side condition fails.

    A ``TypeError`` from building (shapes that do not fit, mixed dtypes) counts as a failed side condition.
    """

    name: str
    patterns: tuple[Pattern, ...]
    proof: str
    """One line: why both sides are equal in real arithmetic, for finite arguments."""
    condition: str
    """The side condition on shapes, dtypes and weights, in words."""
    build: Build
    on_weights: bool = False
    """Also applied where the whole match is weight-only; most rules have nothing to gain there."""


def rule(
    name: str, *patterns: str, proof: str, when: str = "always", on_weights: bool = False
) -> Callable[[Build], Rule]:
    """Makes a Rule of a build function."""

    def wrap(build: Build) -> Rule:
        return Rule(name, tuple(parse(p) for p in patterns), proof, when, build, on_weights)

    return wrap


PRECISE = frozenset({"float32", "float64"})


def precise(term: Term) -> bool:
    """float32 or wider: sums may be taken in another order, and intermediate values may grow, without harm."""
    return term.type.dtype in PRECISE


def padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The shape as broadcasting sees it: ones in front up to ``rank``."""
    return (1,) * (rank - len(shape)) + shape


def axis_groups(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of equally many elements, cut into the smallest groups that hold the same elements."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = ([i], [j]) if i < len(before) and j < len(after) else ([], [])
        left = left or list(range(i, len(before)))  # what is left over has size one
        right = right or list(range(j, len(after)))
        i, j = i + len(left), j + len(right)
        while prod(before[a] for a in left) != prod(after[a] for a in right):
            if prod(before[a] for a in left) < prod(after[a] for a in right):
                left.append(i)
                i += 1
            else:
                right.append(j)
                j += 1
        groups.append((left, right))
    return groups


def along(terms: Terms, x: Term, axis: int, like: Term) -> Term | None:
    """A term that broadcasts against ``like`` along ``axis`` alone, as a vector of that axis's size, or as a number.

    ``None`` where ``x`` varies along another axis, or is wider than ``like``.
    """
    if x.op == "const" or x.rank > like.rank:
        return x if x.op == "const" else None
    shape = padded(x.shape, like.rank)
    if any(n != 1 for d, n in enumerate(shape) if d != axis) or shape[axis] not in (1, like.shape[axis]):
        return None
    return terms.reshape(x, (shape[axis],))


def vector(terms: Terms, x: Term, axis: int, like: Term) -> Term | None:
    """As ``along``, numbers and single elements spread to the axis's full size."""
    found = along(terms, x, axis, like)
    size = like.shape[axis]
    if found is None or found.shape == (size,):
        return found
    if found.op == "const":
        return terms.full(type(like.type)((size,), like.type.dtype), found.attr["value"])
    return terms.make("expand", found, shape=(size,))
