"""What all cases draw from: sizes, numbers, shapes, weights; and the register of cases."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.rewriter.terms import Term

Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = Callable[[Draw, Sketch], Term]

SIZE = st.integers(1, 5)
WIDE = st.integers(2, 5)
NUMBER = st.sampled_from([-3.0, -0.5, 0.25, 0.7, 2.0])
POSITIVE = st.sampled_from([0.25, 0.7, 2.0])
REDUCTIONS = ("sum", "mean", "amax", "amin", "logsumexp")
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Registers a term that a rule must fire on."""

    def wrap(made: Case) -> Case:
        CASES[name] = made
        return made

    return wrap


def shape(draw: Draw, low: int = 1, high: int = 3, size: st.SearchStrategy[int] = SIZE) -> tuple[int, ...]:
    return tuple(draw(st.lists(size, min_size=low, max_size=high)))


def axes(draw: Draw, rank: int) -> tuple[int, ...]:
    return tuple(sorted(draw(st.sets(st.integers(0, rank - 1), min_size=1))))


def narrowed(draw: Draw, full: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to ``full``."""
    kept = [n if draw(st.booleans()) else 1 for n in full]
    return tuple(kept[draw(st.integers(0, len(kept))) :])


def weight(draw: Draw, s: Sketch, full: tuple[int, ...]) -> Term:
    """A weight, or a number, that broadcasts to ``full``."""
    return s.terms.const(draw(NUMBER)) if draw(st.booleans()) else s.weight(*narrowed(draw, full))


def along(draw: Draw, s: Sketch, term: Term, axis: int) -> Term:
    """A weight or number that varies along one axis at most."""
    size = draw(st.sampled_from([1, term.shape[axis]]))
    after = term.rank - axis - 1
    return s.terms.const(draw(NUMBER)) if draw(st.booleans()) else s.weight(size, *(1,) * after)


def bounds(draw: Draw) -> dict[str, float | None]:
    low, high = sorted(draw(st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0]), min_size=2, max_size=2)))
    kind = draw(st.integers(0, 2))
    return {"min": None if kind == 1 else low, "max": None if kind == 2 else high}
