"""Linear layers and matrix products: what commutes with a contraction, and what its weights can take in."""

from math import prod

from kernelwright.authors.rewriter.rule import Match, Rule, along, axis_groups, precise, rule, vector
from kernelwright.authors.rewriter.terms import Term, Terms


@rule("linear-split-bias", "(linear x w b)", proof="linear with bias is x·Wᵀ, then + b")
def split_bias(t: Terms, m: Match) -> Term | None:
    return t.add(t.linear(m.x, m.w), m.b)


@rule(
    "linear-join-bias",
    "(add (linear x w) c)",
    proof="x·Wᵀ + c is a linear layer with bias c",
    when="c is weight-only and varies along the features alone",
)
def join_bias(t: Terms, m: Match) -> Term | None:
    bias = vector(t, m.c, m.root.rank - 1, m.root) if m.c.weight_only else None
    return None if bias is None else t.linear(m.x, m.w, bias)


@rule(
    "linear-take-scale",
    "(mul (linear x w) s)",
    proof="(Σᵢ xᵢ·Wₒᵢ)·sₒ = Σᵢ xᵢ·(sₒ·Wₒᵢ)",
    when="s is weight-only and varies along the features alone",
)
def take_scale(t: Terms, m: Match) -> Term | None:
    scale = along(t, m.s, m.root.rank - 1, m.linear) if m.s.weight_only and m.root.type == m.linear.type else None
    if scale is None:
        return None
    return t.linear(m.x, t.mul(m.w, scale if scale.op == "const" else t.reshape(scale, (*scale.shape, 1))))


@rule(
    "linear-take-input-scale",
    "(linear (mul x s) w)",
    proof="Σᵢ (xᵢ·sᵢ)·Wₒᵢ = Σᵢ xᵢ·(Wₒᵢ·sᵢ)",
    when="s is weight-only and varies along the features alone",
)
def take_input_scale(t: Terms, m: Match) -> Term | None:
    fits = m.s.weight_only and m.w.weight_only and m.x.type == m.mul.type
    scale = along(t, m.s, m.x.rank - 1, m.x) if fits else None
    return None if scale is None else t.linear(m.x, t.mul(m.w, scale))


@rule(
    "linear-take-input-shift",
    "(linear (add x c) w)",
    proof="W·(x + c) = W·x + W·c",
    when="c is weight-only and varies along the features alone",
)
def take_input_shift(t: Terms, m: Match) -> Term | None:
    fits = m.c.weight_only and m.w.weight_only and m.x.type == m.add.type
    shift = vector(t, m.c, m.x.rank - 1, m.x) if fits else None
    return None if shift is None else t.add(t.linear(m.x, m.w), t.linear(shift, m.w))


@rule(
    "sum-into-linear",
    "(sum (linear x w))",
    proof="Σₒ Σᵢ xᵢ·Wₒᵢ = Σᵢ xᵢ·(Σₒ Wₒᵢ); along all other axes Σ W·x = W·Σ x",
    when="float32 or wider",
)
def sum_into_linear(t: Terms, m: Match) -> Term | None:
    dims, last = m.sum.attr["dims"], m.x.rank - 1
    if not precise(m.root) or not m.sum.attr["keepdim"]:
        return None
    x = t.sum(m.x, [d for d in dims if d != last])
    return t.linear(x, t.sum(m.w, [0]) if last in dims else m.w)


@rule(
    "sum-split-features",
    "(sum (reshape (linear x w)))",
    proof="features laid out as axes of their own are rows of W laid out alike: Σⱼ (W·x)ᵢⱼ = (Σⱼ Wᵢⱼ)·x",
    when="the last axis is split and summed in part, all other summed axes are none of x's; float32 or wider",
)
def sum_split_features(t: Terms, m: Match) -> Term | None:
    dims = set(m.sum.attr["dims"])
    groups = axis_groups(m.linear.shape, m.reshape.shape)
    before, after = groups[-1]
    if before != [m.linear.rank - 1] or not dims <= set(after) or not m.sum.attr["keepdim"] or not precise(m.root):
        return None
    split = t.reshape(m.w, (*(m.reshape.shape[a] for a in after), m.w.shape[1]))
    summed = t.sum(split, [after.index(d) for d in sorted(dims)])
    rows = t.reshape(summed, (prod(summed.shape[:-1]), m.w.shape[1]))
    return t.reshape(t.linear(m.x, rows), m.root.shape)


@rule(
    "sum-of-products",
    "(sum (mul x c))",
    proof="Σᵢ xᵢ·cᵢ is a linear layer with the one row c",
    when="c is weight-only, no single value, and varies along the summed last axis alone; float32 or wider",
)
def sum_of_products(t: Terms, m: Match) -> Term | None:
    last = m.mul.rank - 1
    if m.sum.attr["dims"] != (last,) or not m.sum.attr["keepdim"] or not precise(m.root) or not m.c.weight_only:
        return None
    fits = m.x.type == m.mul.type and m.x.shape[last] > 1 and m.c.value is None
    row = vector(t, m.c, last, m.x) if fits else None
    return None if row is None else t.linear(m.x, t.reshape(row, (1, *row.shape)))


@rule(
    "linear-of-linear",
    "(linear@outer (linear@inner x v) w)",
    proof="W·(V·x) = (W·V)·x",
    when="both weights are weight-only; float32 or wider",
)
def linear_of_linear(t: Terms, m: Match) -> Term | None:
    fits = m.v.weight_only and m.w.weight_only and precise(m.root)
    return t.linear(m.x, t.matmul(m.w, m.v)) if fits else None


@rule(
    "add-linears",
    "(add (linear@first x v) (linear@second x w))",
    proof="V·x + W·x = (V + W)·x",
    when="both weights are weight-only and of one shape",
)
def add_linears(t: Terms, m: Match) -> Term | None:
    fits = m.v.weight_only and m.w.weight_only and m.v.type == m.w.type
    return t.linear(m.x, t.add(m.v, m.w)) if fits else None


@rule(
    "matmul-as-linear",
    "(matmul x w)",
    proof="x·W is a linear layer with the weight Wᵀ",
    when="w is a weight-only matrix, x is not weight-only",
)
def matmul_as_linear(t: Terms, m: Match) -> Term | None:
    fits = m.w.weight_only and m.w.rank == 2 and not m.x.weight_only
    return t.linear(m.x, t.permute(m.w, (1, 0))) if fits else None


@rule(
    "sum-into-matmul",
    "(sum (matmul a b))",
    proof="Σᵢ (A·B)ᵢⱼ = (Σᵢ Aᵢ)·Bⱼ and Σⱼ (A·B)ᵢⱼ = Aᵢ·(Σⱼ Bⱼ)",
    when="rows or columns are summed; float32 or wider",
)
def sum_into_matmul(t: Terms, m: Match) -> Term | None:
    dims, rank = m.sum.attr["dims"], m.matmul.rank
    if not precise(m.root) or not m.sum.attr["keepdim"] or not {rank - 1, rank - 2} & set(dims):
        return None
    a = t.sum(m.a, [m.a.rank - 2]) if rank - 2 in dims else m.a
    b = t.sum(m.b, [m.b.rank - 1]) if rank - 1 in dims else m.b
    return t.sum(t.matmul(a, b), [d for d in dims if d < rank - 2])


@rule(
    "matmul-associate",
    "(matmul@outer (matmul@inner a b) c)",
    proof="(A·B)·C = A·(B·C)",
    when="one set of batch axes; float32 or wider",
)
def associate_right(t: Terms, m: Match) -> Term | None:
    same = m.a.shape[:-2] == m.b.shape[:-2] == m.c.shape[:-2]
    return t.matmul(m.a, t.matmul(m.b, m.c)) if same and precise(m.root) else None


@rule(
    "matmul-associate-back",
    "(matmul@outer a (matmul@inner b c))",
    proof="A·(B·C) = (A·B)·C",
    when="one set of batch axes; float32 or wider",
)
def associate_left(t: Terms, m: Match) -> Term | None:
    same = m.a.shape[:-2] == m.b.shape[:-2] == m.c.shape[:-2]
    return t.matmul(t.matmul(m.a, m.b), m.c) if same and precise(m.root) else None


@rule(
    "linear-of-matmul",
    "(linear (matmul a b) w)",
    proof="(A·B)·Wᵀ = A·(B·Wᵀ)",
    when="float32 or wider",
)
def linear_of_matmul(t: Terms, m: Match) -> Term | None:
    same = m.a.shape[:-2] == m.b.shape[:-2]
    return t.matmul(m.a, t.linear(m.b, m.w)) if same and precise(m.root) else None


@rule(
    "matmul-of-linear",
    "(matmul a (linear b w))",
    proof="A·(B·Wᵀ) = (A·B)·Wᵀ",
    when="float32 or wider",
)
def matmul_of_linear(t: Terms, m: Match) -> Term | None:
    same = m.a.shape[:-2] == m.b.shape[:-2]
    return t.linear(t.matmul(m.a, m.b), m.w) if same and m.w.weight_only and precise(m.root) else None


@rule(
    "matmul-release-scale",
    "(matmul (mul@left a s) b)",
    "(matmul b (mul@right a s))",
    proof="(A·s)·B = A·(B·s) = (A·B)·s for a number s",
    when="s is a number",
)
def release_scale(t: Terms, m: Match) -> Term | None:
    if m.s.op != "const":
        return None
    return t.mul(t.matmul(m.a, m.b) if "left" in m.terms else t.matmul(m.b, m.a), m.s)


@rule(
    "matmul-take-scale",
    "(mul (matmul a b) s)",
    proof="(A·B)·s = (A·s)·B = A·(B·s) for a number s",
    when="s is a number",
)
def take_number(t: Terms, m: Match) -> Term | None:
    if m.s.op != "const":
        return None
    if m.a.type.elements <= m.b.type.elements:
        return t.matmul(t.mul(m.a, m.s), m.b)
    return t.matmul(m.a, t.mul(m.b, m.s))


@rule(
    "matmul-take-row-scale",
    "(mul (matmul a b) s)",
    proof="(Σₖ aᵢₖ·bₖⱼ)·sᵢ = Σₖ (aᵢₖ·sᵢ)·bₖⱼ",
    when="s is weight-only, no number, does not vary along the columns and widens neither side",
)
def take_row_scale(t: Terms, m: Match) -> Term | None:
    fits = m.s.weight_only and m.s.op != "const" and m.s.rank > 0 and m.s.shape[-1] == 1
    if not fits or m.root.type != m.matmul.type:
        return None
    scaled = t.mul(m.a, m.s)
    return t.matmul(scaled, m.b) if scaled.type == m.a.type else None


@rule("matvec-as-matmul", "(matvec a v)", proof="a vector is a matrix with one column")
def matvec_as_matmul(t: Terms, m: Match) -> Term | None:
    return t.reshape(t.matmul(m.a, t.reshape(m.v, (*m.v.shape, 1))), m.root.shape)


@rule(
    "matmul-as-matvec",
    "(matmul a b)",
    proof="a matrix with one column is a vector",
    when="b has one column and no batch axes",
)
def matmul_as_matvec(t: Terms, m: Match) -> Term | None:
    if m.b.rank != 2 or m.b.shape[1] != 1:
        return None
    return t.reshape(t.make("matvec", m.a, t.reshape(m.b, m.b.shape[:1])), m.root.shape)


RULES: tuple[Rule, ...] = (
    split_bias,
    join_bias,
    take_scale,
    take_input_scale,
    take_input_shift,
    sum_into_linear,
    sum_split_features,
    sum_of_products,
    linear_of_linear,
    add_linears,
    matmul_as_linear,
    sum_into_matmul,
    associate_right,
    associate_left,
    linear_of_matmul,
    matmul_of_linear,
    release_scale,
    take_number,
    take_row_scale,
    matvec_as_matmul,
    matmul_as_matvec,
)
