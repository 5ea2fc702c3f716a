"""Chains of elementwise operations: constants, scales, shifts, clamps."""

from kernelwright.authors.rewriter.rule import Match, Rule, rule
from kernelwright.authors.rewriter.terms import Term, Terms


@rule("subtract-as-add", "(sub a b)", proof="a - b = a + (-1)·b", when="one side is weight-only")
def subtract_as_add(t: Terms, m: Match) -> Term | None:
    if m.b.weight_only:
        return t.add(m.a, t.mul(m.b, -1.0))
    return t.add(t.mul(m.b, -1.0), m.a) if m.a.weight_only else None


@rule("divide-as-scale", "(div a b)", proof="a / b = a · (1/b)", when="b is weight-only")
def divide_as_scale(t: Terms, m: Match) -> Term | None:
    if not m.b.weight_only or m.b.value == 0:
        return None
    return t.mul(m.a, t.make("div", t.const(1.0), m.b) if m.b.op == "const" else t.make("reciprocal", m.b))


@rule("negate-as-scale", "(neg a)", proof="-a = (-1)·a")
def negate_as_scale(t: Terms, m: Match) -> Term | None:
    return t.mul(m.a, -1.0)


@rule(
    "weights-right",
    "(add@op a b)",
    "(mul@op a b)",
    proof="addition and multiplication commute",
    when="a alone is weight-only",
)
def weights_right(t: Terms, m: Match) -> Term | None:
    return t.make(m.op.op, m.b, m.a) if m.a.weight_only and not m.b.weight_only else None


@rule(
    "merge-scales",
    "(mul@outer (mul x a) b)",
    proof="(x·a)·b = x·(a·b)",
    when="a and b are weight-only; numbers, where x is weight-only too",
    on_weights=True,
)
def merge_scales(t: Terms, m: Match) -> Term | None:
    if m.x.weight_only and not (m.a.op == m.b.op == "const"):
        return None
    return t.mul(m.x, t.mul(*in_order(m.a, m.b))) if m.a.weight_only and m.b.weight_only else None


def in_order(a: Term, b: Term) -> tuple[Term, Term]:
    """One of the two orders, so that a product (or sum) of weights that was met in both ways is one term."""
    return (a, b) if a.id <= b.id else (b, a)


@rule(
    "merge-shifts",
    "(add@outer (add x a) b)",
    proof="(x + a) + b = x + (a + b)",
    when="a and b are weight-only",
)
def merge_shifts(t: Terms, m: Match) -> Term | None:
    return t.add(m.x, t.add(*in_order(m.a, m.b))) if m.a.weight_only and m.b.weight_only else None


@rule(
    "cancel-quotient",
    "(mul@outer (div@inner x a) b)",
    "(div@outer (mul@inner x a) b)",
    "(div@outer (div@inner x a) b)",
    proof="(x / a)·b = x·(b/a), (x·a) / b = x·(a/b), (x / a) / b = x·(1/(a·b))",
    when="a and b are numbers other than zero",
)
def cancel_quotient(t: Terms, m: Match) -> Term | None:
    if m.a.op != "const" or m.b.op != "const" or 0 in (m.a.value, m.b.value):
        return None
    a, b = m.a.attr["value"], m.b.attr["value"]
    if m.inner.op == "mul":
        return t.mul(m.x, a / b)
    return t.mul(m.x, b / a if m.outer.op == "mul" else 1 / (a * b))


@rule(
    "scale-sum",
    "(mul (add x a) b)",
    proof="(x + a)·b = x·b + a·b",
    when="a and b are weight-only",
)
def scale_sum(t: Terms, m: Match) -> Term | None:
    return t.add(t.mul(m.x, m.b), t.mul(m.a, m.b)) if m.a.weight_only and m.b.weight_only else None


@rule(
    "drop-neutral",
    "(mul@op x a)",
    "(add@op x a)",
    "(mul@op a x)",
    "(add@op a x)",
    proof="x·1 = x and x + 0 = x",
    when="a is 1 (or 0) everywhere and does not widen x",
    on_weights=True,
)
def drop_neutral(t: Terms, m: Match) -> Term | None:
    neutral = 1.0 if m.op.op == "mul" else 0.0
    return m.x if m.a.value == neutral and m.x.type == m.op.type else None


@rule("cancel-difference", "(sub x x)", proof="x - x = 0")
def cancel_difference(t: Terms, m: Match) -> Term | None:
    return t.full(m.root.type, 0.0)


@rule(
    "factor-sum",
    "(add (mul x a) x)",
    "(add x (mul x a))",
    proof="x·a + x = x·(a + 1)",
    when="a is weight-only and does not widen x",
)
def factor_sum(t: Terms, m: Match) -> Term | None:
    return t.mul(m.x, t.add(m.a, 1.0)) if m.a.weight_only and m.x.type == m.root.type else None


@rule(
    "factor-scales",
    "(add (mul@first x a) (mul@second x b))",
    proof="x·a + x·b = x·(a + b)",
    when="a and b are weight-only",
)
def factor_scales(t: Terms, m: Match) -> Term | None:
    return t.mul(m.x, t.add(m.a, m.b)) if m.a.weight_only and m.b.weight_only else None


@rule(
    "factor-input",
    "(add (mul x y) x)",
    "(add x (mul x y))",
    "(add (mul y x) x)",
    "(add x (mul y x))",
    proof="x·y + x = x·(y + 1)",
    when="x and y depend on inputs and have the type of the result",
)
def factor_input(t: Terms, m: Match) -> Term | None:
    fits = m.x.type == m.y.type == m.root.type and not m.x.weight_only and not m.y.weight_only
    return t.mul(m.x, t.add(m.y, 1.0)) if fits else None


@rule(
    "gather-shift",
    "(add@outer (add@inner x a) x)",
    "(add@outer x (add@inner x a))",
    proof="(x + a) + x = x·2 + a",
    when="a is weight-only and does not widen x",
)
def gather_shift(t: Terms, m: Match) -> Term | None:
    return t.add(t.mul(m.x, 2.0), m.a) if m.a.weight_only and m.x.type == m.root.type else None


@rule("double", "(add x x)", proof="x + x = x·2")
def double(t: Terms, m: Match) -> Term | None:
    return t.mul(m.x, 2.0)


@rule("relu-as-clamp", "(relu x)", proof="relu(x) = max(x, 0)")
def relu_as_clamp(t: Terms, m: Match) -> Term | None:
    return t.make("clamp", m.x, min=0.0, max=None)


@rule("clamp-as-relu", "(clamp x)", proof="max(x, 0) = relu(x)", when="bounds 0 and none")
def clamp_as_relu(t: Terms, m: Match) -> Term | None:
    return t.make("relu", m.x) if (m.clamp.attr["min"], m.clamp.attr["max"]) == (0.0, None) else None


@rule(
    "merge-clamps",
    "(clamp@outer (clamp@inner x))",
    proof="two intervals, one after the other, are the interval of the inner bounds moved into the outer one",
    when="no interval is empty",
)
def merge_clamps(t: Terms, m: Match) -> Term | None:
    (a, b), (c, d) = ((term.attr["min"], term.attr["max"]) for term in (m.inner, m.outer))
    if any(low is not None and high is not None and low > high for low, high in ((a, b), (c, d))):
        return None

    def moved(bound: float | None, default: float | None) -> float | None:
        if bound is None:
            return default
        bound = bound if c is None else max(bound, c)
        return bound if d is None else min(bound, d)

    return t.make("clamp", m.x, min=moved(a, c), max=moved(b, d))


@rule(
    "drop-clamp",
    "(clamp x)",
    proof="x already lies between the bounds",
    when="the bounds hold for every value that x can take",
)
def drop_clamp(t: Terms, m: Match) -> Term | None:
    low, high = m.clamp.attr["min"], m.clamp.attr["max"]
    inside = (low is None or m.x.facts.low >= low) and (high is None or m.x.facts.high <= high)
    return m.x if inside else None


@rule("drop-absolute", "(abs x)", proof="|x| = x for x ≥ 0", when="x cannot be negative")
def drop_absolute(t: Terms, m: Match) -> Term | None:
    return m.x if m.x.facts.low >= 0 else None


@rule("absolute-of-scaled", "(abs (mul x c))", proof="|x·c| = |x|·|c|", when="c is a number")
def absolute_of_scaled(t: Terms, m: Match) -> Term | None:
    return t.mul(t.make("abs", m.x), abs(m.c.attr["value"])) if m.c.op == "const" else None


@rule("same-extreme", "(maximum x x)", "(minimum x x)", proof="max(x, x) = min(x, x) = x")
def same_extreme(t: Terms, m: Match) -> Term | None:
    return m.x


RULES: tuple[Rule, ...] = (
    subtract_as_add,
    divide_as_scale,
    negate_as_scale,
    weights_right,
    merge_scales,
    merge_shifts,
    cancel_quotient,
    scale_sum,
    drop_neutral,
    cancel_difference,
    factor_sum,
    factor_scales,
    factor_input,
    gather_shift,
    double,
    relu_as_clamp,
    clamp_as_relu,
    merge_clamps,
    drop_clamp,
    drop_absolute,
    absolute_of_scaled,
    same_extreme,
)
