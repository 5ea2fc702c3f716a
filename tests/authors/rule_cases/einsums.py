"""Cases of rules on Einstein sums."""

from hypothesis import strategies as st
from sketches import Sketch

from kernelwright.authors.graph.ir import Node, Slot, TensorType, attributes
from kernelwright.authors.rewriter.terms import Term
from rule_cases.draws import WIDE, Draw, case

LETTERS = "abcde"


def sizes(draw: Draw) -> dict[str, int]:
    return {letter: draw(WIDE) for letter in LETTERS}


def subset(draw: Draw, letters: str) -> str:
    return "".join(draw(st.permutations(sorted(draw(st.sets(st.sampled_from(letters), min_size=1))))))


def factor(s: Sketch, letters: str, size: dict[str, int], live: bool) -> Term:
    return (s.input if live else s.weight)(*(size[letter] for letter in letters))


def einsum(s: Sketch, equation: str, *operands: Term) -> Term:
    return s.make("einsum", *operands, equation=equation)


def opaque(s: Sketch, target: str, type_: TensorType, args: tuple[object, ...], *operands: Term) -> Term:
    """A call that the vocabulary does not know."""
    attrs = attributes(target=target, args=args, kwargs=())
    return Term(s.terms, s.terms.insert(Node("opaque", tuple(t.id for t in operands), attrs, type_)))


def joined(s: Sketch, dim: int, x: Term, y: Term) -> Term:
    shape = [n + y.shape[d] if d == dim else n for d, n in enumerate(x.shape)]
    return opaque(s, "aten.cat.default", TensorType(tuple(shape), "float64"), ((Slot(0), Slot(1)), dim), x, y)


@case("einsum-join-weights")
def _(draw: Draw, s: Sketch) -> Term:
    size, count = sizes(draw), draw(st.integers(3, 4))
    terms = [subset(draw, LETTERS) for _ in range(count)]
    live = draw(st.integers(0, count - 1))
    result = subset(draw, "".join(sorted(set("".join(terms)))))
    operands = [factor(s, letters, size, k == live) for k, letters in enumerate(terms)]
    return einsum(s, f"{','.join(terms)}->{result}", *operands)


@case("einsum-of-einsum")
def _(draw: Draw, s: Sketch) -> Term:
    size = sizes(draw)
    inside = [subset(draw, LETTERS) for _ in range(2)]
    middle = subset(draw, "".join(sorted(set("".join(inside)))))
    live = draw(st.booleans())
    operands = [factor(s, letters, size, live == bool(k)) for k, letters in enumerate(inside)]
    inner = einsum(s, f"{','.join(inside)}->{middle}", *operands)
    # the outer sum has names of its own: its letters stand for other axes than the inner's do
    names = dict(zip(middle, draw(st.permutations(LETTERS)), strict=False))
    own = {names[letter]: size[letter] for letter in middle}
    outside = "".join(names[letter] for letter in middle)
    of_a = subset(draw, LETTERS)
    a = s.weight(*(own.setdefault(letter, size[letter]) for letter in of_a))
    result = subset(draw, "".join(sorted(set(of_a + outside))))
    if draw(st.booleans()):
        return einsum(s, f"{of_a},{outside}->{result}", a, inner)
    return einsum(s, f"{outside},{of_a}->{result}", inner, a)


@case("einsum-of-zeros")
def _(draw: Draw, s: Sketch) -> Term:
    shape = [draw(WIDE) for _ in range(3)]
    dim = draw(st.integers(0, 2))
    other = [draw(WIDE) if d == dim else n for d, n in enumerate(shape)]
    zeros = s.terms.full(TensorType(tuple(other), "float64"), 0.0)
    sides = (zeros, s.input(*shape)) if draw(st.booleans()) else (s.input(*shape), zeros)
    whole = joined(s, dim, *sides)
    letter = "abc"[dim]
    result = subset(draw, "abcd".replace(letter, ""))
    a = s.weight(whole.shape[dim], 2)
    if draw(st.booleans()):
        return einsum(s, f"abc,{letter}d->{result}", whole, a)
    return einsum(s, f"{letter}d,abc->{result}", a, whole)


@case("like-as-full")
def _(draw: Draw, s: Sketch) -> Term:
    x = s.input(draw(WIDE), draw(WIDE))
    name = draw(st.sampled_from(["zeros_like", "ones_like"]))
    return s.make("add", x, opaque(s, f"aten.{name}.default", x.type, (Slot(0),), x))
