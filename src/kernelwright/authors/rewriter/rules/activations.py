"""Activations written out in elementary steps, as the one operation that PyTorch has for them.

The fused operation is at least as exact: it computes in float32 or wider, and does not overflow where a step would.
"""

from math import isclose, pi, sqrt

from kernelwright.authors.rewriter.rule import Match, Rule, rule
from kernelwright.authors.rewriter.terms import Term, Terms


def near(term: Term, value: float) -> bool:
    """A number that was meant to be ``value``: written with seven digits or more."""
    return term.op == "const" and isclose(term.attr["value"], value, rel_tol=1e-6)


@rule("as-silu", "(mul x (sigmoid x))", "(mul (sigmoid x) x)", proof="silu(x) = x·σ(x), by definition")
def as_silu(t: Terms, m: Match) -> Term | None:
    return t.make("silu", m.x)


@rule(
    "as-mish",
    "(mul x (tanh (softplus x)))",
    "(mul (tanh (softplus x)) x)",
    proof="mish(x) = x·tanh(softplus(x)), by definition",
)
def as_mish(t: Terms, m: Match) -> Term | None:
    return t.make("mish", m.x)


@rule(
    "as-hardsigmoid",
    "(clamp (mul (add x a) b))",
    "(clamp (add (mul x b) c))",
    "(mul (clamp (add x a)) b)",
    proof="hardsigmoid(x) = clamp((x + 3)/6, 0, 1) = clamp(x + 3, 0, 6)/6, by definition",
    when="the numbers are these",
)
def as_hardsigmoid(t: Terms, m: Match) -> Term | None:
    shifted = near(m.a, 3.0) if "a" in m.terms else near(m.c, 0.5)
    top = 6.0 if m.root.op == "mul" else 1.0
    fits = shifted and near(m.b, 1 / 6) and (m.clamp.attr["min"], m.clamp.attr["max"]) == (0.0, top)
    return t.make("hardsigmoid", m.x) if fits and m.x.type == m.root.type else None


@rule(
    "as-hardswish",
    "(mul x (hardsigmoid x))",
    "(mul (hardsigmoid x) x)",
    "(mul@outer (mul x (clamp (add x a))) b)",
    proof="hardswish(x) = x·hardsigmoid(x) = x·clamp(x + 3, 0, 6)/6, by definition",
    when="the numbers are these",
)
def as_hardswish(t: Terms, m: Match) -> Term | None:
    if "clamp" in m.terms:
        bounds = (m.clamp.attr["min"], m.clamp.attr["max"])
        if not near(m.a, 3.0) or not near(m.b, 1 / 6) or bounds != (0.0, 6.0):
            return None
    return t.make("hardswish", m.x) if m.x.type == m.root.type else None


CUBIC = "(tanh (mul (add x (mul (power x) a)) k))"


@rule(
    "as-gelu-tanh",
    f"(mul (mul@half x h) (add@raised {CUBIC} o))",
    f"(mul (add@raised {CUBIC} o) (mul@half x h))",
    f"(mul@outer (mul x (add@raised {CUBIC} o)) h)",
    f"(mul@outer (mul (add@raised {CUBIC} o) x) h)",
    proof="gelu(x, tanh) = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), by definition",
    when="the numbers are these",
)
def as_gelu_tanh(t: Terms, m: Match) -> Term | None:
    numbers = near(m.h, 0.5) and near(m.o, 1.0) and near(m.a, 0.044715) and near(m.k, sqrt(2 / pi))
    fits = numbers and m.power.attr["exponent"] == 3 and m.x.type == m.root.type
    return t.make("gelu", m.x, approximate="tanh") if fits else None


@rule(
    "as-gelu",
    "(mul (mul@half x h) (add@raised (erf (mul@arg x k)) o))",
    "(mul (add@raised (erf (mul@arg x k)) o) (mul@half x h))",
    "(mul@outer (mul x (add@raised (erf (mul@arg x k)) o)) h)",
    "(mul@outer (mul (add@raised (erf (mul@arg x k)) o) x) h)",
    proof="gelu(x) = x/2·(1 + erf(x/√2)), by definition",
    when="the numbers are these",
)
def as_gelu(t: Terms, m: Match) -> Term | None:
    fits = near(m.h, 0.5) and near(m.o, 1.0) and near(m.k, 1 / sqrt(2)) and m.x.type == m.root.type
    return t.make("gelu", m.x, approximate="none") if fits else None


@rule("as-log-softmax", "(log (softmax x))", proof="log softmax(x) is log_softmax, which does not underflow")
def as_log_softmax(t: Terms, m: Match) -> Term | None:
    return t.make("log_softmax", m.x, dim=m.softmax.attr["dim"])


@rule(
    "drop-leaky-relu",
    "(leaky_relu x)",
    "(relu@leaky_relu x)",
    proof="a (leaky) relu keeps what is not negative",
    when="x cannot be negative",
)
def drop_leaky_relu(t: Terms, m: Match) -> Term | None:
    return m.x if m.x.facts.low >= 0 else None


@rule(
    "merge-leaky-relus",
    "(leaky_relu@outer (leaky_relu@inner x))",
    proof="signs are kept, so negative elements are scaled by both slopes",
    when="no slope is negative",
)
def merge_leaky_relus(t: Terms, m: Match) -> Term | None:
    slopes = m.outer.attr["slope"], m.inner.attr["slope"]
    return t.make("leaky_relu", m.x, slope=slopes[0] * slopes[1]) if min(slopes) >= 0 else None


@rule(
    "softmax-drop-shift",
    "(softmax@op (add x c))",
    "(log_softmax@op (add x c))",
    proof="exp(x + c)/Σ exp(x + c) = exp(x)/Σ exp(x)",
    when="c does not vary along the softmax's axis and does not widen x",
)
def softmax_drop_shift(t: Terms, m: Match) -> Term | None:
    axis = m.op.attr["dim"] - m.root.rank
    fits = m.x.type == m.root.type and (m.c.rank < -axis or m.c.shape[axis] == 1)
    return t.make(m.op.op, m.x, dim=m.op.attr["dim"]) if fits else None


RULES: tuple[Rule, ...] = (
    as_silu,
    as_mish,
    as_hardsigmoid,
    as_hardswish,
    as_gelu_tanh,
    as_gelu,
    as_log_softmax,
    drop_leaky_relu,
    merge_leaky_relus,
    softmax_drop_shift,
)
