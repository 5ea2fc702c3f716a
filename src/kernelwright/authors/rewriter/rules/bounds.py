"""Clamps, minima and maxima: what known bounds make of them, and what passes through them."""

from kernelwright.authors.rewriter.rule import Match, Rule, rule
from kernelwright.authors.rewriter.terms import Term, Terms


@rule(
    "bounds-meet",
    "(clamp@op x)",
    "(relu@op x)",
    "(maximum@op x y)",
    "(minimum@op x y)",
    proof="what lies between c and c is c",
    when="lower and upper bound of the result are one number, whatever the input",
)
def bounds_meet(t: Terms, m: Match) -> Term | None:
    value = m.root.value
    return None if value is None or not m.root.type.floating else t.full(m.root.type, value)


@rule(
    "extreme-as-clamp",
    "(maximum@op x c)",
    "(minimum@op x c)",
    "(maximum@op c x)",
    "(minimum@op c x)",
    proof="max(x, c) and min(x, c) are clamps for a number c",
    when="all elements of c are one known number, and c does not widen x",
)
def extreme_as_clamp(t: Terms, m: Match) -> Term | None:
    value = m.c.value
    if value is None or m.x.type != m.root.type or m.x.weight_only:
        return None
    floor = value if m.op.op == "maximum" else None
    return t.make("clamp", m.x, min=floor, max=value if floor is None else None)


@rule(
    "drop-extreme",
    "(maximum@op x y)",
    "(maximum@op y x)",
    "(minimum@op x y)",
    "(minimum@op y x)",
    proof="the larger (smaller) of two is x where x is never smaller (larger) than y",
    when="the bounds of x and y do not overlap, and y does not widen x",
)
def drop_extreme(t: Terms, m: Match) -> Term | None:
    if m.x.type != m.root.type:
        return None
    x, y = m.x.facts, m.y.facts
    return m.x if (x.low >= y.high if m.op.op == "maximum" else x.high <= y.low) else None


@rule(
    "clamp-take-scale",
    "(mul (clamp x) c)",
    proof="clamp(x, a, b)·c = clamp(x·c, a·c, b·c), the bounds changing places for c < 0",
    when="c is a number other than zero",
)
def clamp_take_scale(t: Terms, m: Match) -> Term | None:
    if m.c.op != "const" or m.c.value == 0:
        return None
    c = float(m.c.attr["value"])
    low, high = (None if end is None else end * c for end in (m.clamp.attr["min"], m.clamp.attr["max"]))
    return t.make("clamp", t.mul(m.x, c), **({"min": low, "max": high} if c > 0 else {"min": high, "max": low}))


@rule(
    "clamp-take-shift",
    "(add (clamp x) c)",
    proof="clamp(x, a, b) + c = clamp(x + c, a + c, b + c)",
    when="c is a number",
)
def clamp_take_shift(t: Terms, m: Match) -> Term | None:
    if m.c.op != "const":
        return None
    c = float(m.c.attr["value"])
    low, high = (None if end is None else end + c for end in (m.clamp.attr["min"], m.clamp.attr["max"]))
    return t.make("clamp", t.add(m.x, c), min=low, max=high)


@rule(
    "extreme-take-shift",
    "(add (maximum@op x c) d)",
    "(add (minimum@op x c) d)",
    proof="max(x, c) + d = max(x + d, c + d), and so for min",
    when="c and d are weight-only and do not widen x",
)
def extreme_take_shift(t: Terms, m: Match) -> Term | None:
    fits = m.c.weight_only and m.d.weight_only and not m.x.weight_only and m.x.type == m.op.type == m.root.type
    return t.make(m.op.op, t.add(m.x, m.d), t.add(m.c, m.d)) if fits else None


@rule(
    "cancel-shift",
    "(sub (add@left x c) (add@right y c))",
    proof="(x + c) - (y + c) = x - y",
    when="c widens neither x nor the result",
)
def cancel_shift(t: Terms, m: Match) -> Term | None:
    found = t.make("sub", m.x, m.y)
    return found if found.type == m.root.type else None


@rule(
    "homogeneous-take-scale",
    "(mul (relu@op x) c)",
    "(mul (leaky_relu@op x) c)",
    proof="f(x)·c = f(x·c) for c > 0, where f is linear on either side of zero",
    when="c is a positive number",
)
def homogeneous_take_scale(t: Terms, m: Match) -> Term | None:
    if m.c.op != "const" or not m.c.attr["value"] > 0:
        return None
    return t.make(m.op.op, t.mul(m.x, m.c), **m.op.attr)


RULES: tuple[Rule, ...] = (
    bounds_meet,
    extreme_as_clamp,
    drop_extreme,
    clamp_take_scale,
    clamp_take_shift,
    extreme_take_shift,
    cancel_shift,
    homogeneous_take_scale,
)
