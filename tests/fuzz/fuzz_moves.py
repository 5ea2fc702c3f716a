"""Operators that move values about: layouts, order, look-ups, masks."""

from fuzz_operators import Draw, Operator, Setting, Shape, Weight
from hypothesis import strategies as st


def _shuffled(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 4 or shape[1] % 4 or shape[2] * shape[3] > 80:
        return None
    b, c, h, w = shape
    return Setting((b, c // 4, 2 * h, 2 * w), {"c": c // 4, "h": h, "wide": w})


def _turned(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 3:
        return None
    return Setting((shape[0], shape[2], shape[1], *shape[3:]))


def _flat(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 3 or shape[1] * shape[2] > 100:
        return None
    return Setting((shape[0], shape[1] * shape[2], *shape[3:]))


def _part(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 2 or shape[-1] < 5:
        return None
    start, step = draw(st.integers(0, 2)), draw(st.integers(1, 2))
    length = len(range(start, shape[-1] - 1, step))
    return Setting((*shape[:-1], length), {"start": start, "stop": shape[-1] - 1, "step": step})


def _joined(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 2 or shape[-1] > 40:
        return None
    return Setting((*shape[:-1], 2 * shape[-1]), {"n": shape[-1]})


def _shift(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 2 or shape[-1] < 4:
        return None
    return Setting(shape, {"by": draw(st.integers(1, 2)), "n": shape[-1]})


def _square(draw: Draw, shape: Shape) -> Setting | None:
    return Setting(shape, {"k": draw(st.integers(-1, 1))}) if len(shape) >= 2 and min(shape[-2:]) > 2 else None


def _sorted(draw: Draw, shape: Shape) -> Setting | None:
    return Setting(shape) if len(shape) >= 2 and shape[-1] > 2 else None


def _best(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 2 or shape[-1] < 5:
        return None
    k = draw(st.integers(2, 4))
    return Setting((*shape[:-1], k), {"k": k})


def _looked_up(draw: Draw, shape: Shape) -> Setting | None:
    """Rows of a table, added to what comes in."""
    if len(shape) not in (2, 3):
        return None
    rows = draw(st.integers(4, 12))
    return Setting(shape, {"rows": rows}, {"w": Weight("table", (rows, shape[-1]))}, (shape[:-1], rows))


def _gathered(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 2 or shape[1] < 4:
        return None
    n = draw(st.integers(2, shape[1]))
    return Setting((shape[0], n), {"n": shape[1]}, index=((shape[0], n), shape[1]))


def _summed_up(draw: Draw, shape: Shape) -> Setting | None:
    """Columns are added into bins."""
    if len(shape) != 2 or shape[1] < 4:
        return None
    bins = draw(st.integers(3, 6))
    return Setting((shape[0], bins), {"bins": bins}, index=((shape[1],), bins))


def _masked(draw: Draw, shape: Shape) -> Setting | None:
    return Setting(shape, {"fill": draw(st.integers(-4, 4)) / 4}, index=(shape, 3)) if len(shape) > 1 else None


MOVES = [
    Operator(
        "channels to pixels", _shuffled, "F.pixel_shuffle(x, 2)",
        {"permuted": "x.reshape(-1, $c, 2, 2, $h, $wide).permute(0, 1, 4, 2, 5, 3).reshape(-1, $c, 2 * $h, 2 * $wide)"},
        {
            "offsets swapped": "x.reshape(-1, $c, 2, 2, $h, $wide).permute(0, 1, 4, 3, 5, 2)"
            ".reshape(-1, $c, 2 * $h, 2 * $wide)",
            "reshaped only": "x.reshape(-1, $c, 2 * $h, 2 * $wide).clone()",
            "channels first": "x.reshape(-1, 2, 2, $c, $h, $wide).permute(0, 3, 4, 1, 5, 2)"
            ".reshape(-1, $c, 2 * $h, 2 * $wide)",
        },
        moves=True,
    ),
    Operator(
        "transposition", _turned, "x.transpose(1, 2).clone(memory_format=torch.contiguous_format)",
        {"einsum": 'torch.einsum("bij...->bji...", x).clone(memory_format=torch.contiguous_format)',
         "stacked": "torch.stack(x.unbind(1), 2)"},
        {
            "reshaped": "x.reshape(x.shape[0], x.shape[2], x.shape[1], *x.shape[3:]).clone()",
            "reversed too": "x.transpose(1, 2).flip(1).contiguous()",
        },
        moves=True,
    ),
    Operator(
        "flattening", _flat, "x.flatten(1, 2).clone()",
        {"joined": "torch.cat(x.unbind(1), 1)"},
        {"transposed first": "x.transpose(1, 2).flatten(1, 2).clone()", "reversed": "x.flip(1).flatten(1, 2)"},
        moves=True,
    ),
    Operator(
        "slice", _part, "x[..., $start : $stop : $step].clone()",
        {
            "index": "x.index_select(-1, torch.arange($start, $stop, $step))",
            "columns": "torch.stack([x[..., k] for k in range($start, $stop, $step)], -1)",
        },
        {
            "one later": "x[..., $start + 1 : $stop + 1 : $step].clone()",
            "from the end": "x.flip(-1)[..., $start : $stop : $step].clone()",
            "last one twice": "x.index_select(-1, torch.arange($start, $stop, $step).clamp(max=$stop - 2 - $step))",
        },
        moves=True,
    ),
    Operator(
        "concatenation", _joined, "torch.cat([x, y], -1)",
        {
            "written into place": "out = x.new_empty(*x.shape[:-1], 2 * $n)\n"
            "out[..., :$n] = x\nout[..., $n:] = y\nreturn out",
            "stacked": "torch.stack([x, y], -2).flatten(-2)",
        },
        {
            "swapped": "torch.cat([y, x], -1)",
            "interleaved": "torch.stack([x, y], -1).flatten(-2)",
            "first twice": "torch.cat([x, x], -1)",
            "one written over": "out = torch.cat([x, y], -1)\nout[..., $n] = x[..., -1]\nreturn out",
        },
        second=True, moves=True,
    ),
    Operator(
        "shift with zeros", _shift, "F.pad(x, ($by, 0))[..., :-$by].clone()",
        {
            "zeros first": "out = torch.zeros_like(x)\nout[..., $by:] = x[..., :-$by]\nreturn out",
            "rolled and cleared": "out = x.roll($by, -1)\nout[..., :$by] = 0\nreturn out",
        },
        {
            "rolled": "x.roll($by, -1)",
            "other way": "F.pad(x, (0, $by))[..., $by:].clone()",
            "one more": "F.pad(x, ($by + 1, 0))[..., : -($by + 1)].clone()",
            "edge repeated": "x.index_select(-1, (torch.arange($n) - $by).clamp(min=0))",
        },
        moves=True,
    ),
    Operator(
        "lower triangle", _square, "x.tril($k)",
        {
            "mask": "x * torch.ones(x.shape[-2:], dtype=x.dtype).tril($k)",
            "comparison": """
                i, j = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])
                return torch.where(j - i <= $k, x, torch.zeros_like(x))
            """,
        },
        {
            "one diagonal fewer": "x.tril($k - 1)",
            "one diagonal more": "x.tril($k + 1)",
            "upper triangle": "x.triu($k)",
        },
        moves=True, rows=False,
    ),
    Operator(
        "sorting", _sorted, "x.sort(-1).values",
        {
            "gathered": "x.gather(-1, x.argsort(-1))",
            "negative descending": "-(-x).sort(-1, descending=True).values",
            "top of all, reversed": "x.topk(x.shape[-1], -1).values.flip(-1)",
        },
        {
            "descending": "x.sort(-1, descending=True).values",
            "one pass of exchanges": """
                a, b = x[..., :-1:2], x[..., 1::2]
                out = x.clone()
                out[..., :-1:2], out[..., 1::2] = torch.minimum(a, b), torch.maximum(a, b)
                return out
            """,
            "by magnitude": "x.gather(-1, x.abs().argsort(-1))",
            "last left where it was": "torch.cat([x[..., :-1].sort(-1).values, x[..., -1:]], -1)",
        },
        moves=True,
    ),
    Operator(
        "largest few", _best, "x.topk($k, -1).values",
        {
            "sorted": "x.sort(-1, descending=True).values[..., :$k].clone()",
            "one after the other": """
                left, out = x.clone(), []
                for _ in range($k):
                    top, where = left.max(-1, keepdim=True)
                    out.append(top)
                    left = left.scatter(-1, where, -math.inf)
                return torch.cat(out, -1)
            """,
        },
        {
            "smallest": "x.topk($k, -1, largest=False).values",
            "without the largest": "x.topk($k + 1, -1).values[..., 1:].clone()",
            "last column never looked at": "x[..., :-1].topk($k, -1).values",
            "each value once": """
                left, out = x.clone(), []
                for _ in range($k):
                    top = left.amax(-1, keepdim=True)
                    out.append(top)
                    left = left.masked_fill(left == top, -1e4)
                return torch.cat(out, -1)
            """,
            "ascending": "x.topk($k, -1).values.flip(-1)",
        },
        moves=True,
    ),
]  # fmt: skip

LOOK_UPS = [
    Operator(
        "embedding added", _looked_up, "x + F.embedding(i, w)",
        {
            "indexed": "x + w[i]",
            "selected": "x + w.index_select(0, i.reshape(-1)).reshape(x.shape)",
            "one-hot product": "x + F.one_hot(i, $rows).to(x.dtype) @ w",
        },
        {
            "one row further": "x + w[(i + 1) % $rows]",
            "row zero as padding": "x + w[i] * (i > 0).unsqueeze(-1)",
            "last row never read": "x + w[i.clamp(max=$rows - 2)]",
            "one row for all": "x + w[i[:1]]",
            "subtracted": "x - w[i]",
        },
    ),
    Operator(
        "gather", _gathered, "x.gather(1, i)",
        {
            "take along": "torch.take_along_dim(x, i, 1)",
            "one-hot sum": "(F.one_hot(i, $n).to(x.dtype) * x.unsqueeze(1)).sum(-1)",
            "row by row": "torch.stack([row[k] for row, k in zip(x, i)])",
        },
        {
            "one further": "x.gather(1, (i + 1) % $n)",
            "indices of the first row": "x[:, i[0]]",
            "last never read": "x.gather(1, i.clamp(max=$n - 2))",
            "from the end": "x.gather(1, $n - 1 - i)",
        },
        moves=True,
    ),
    Operator(
        "sums by bin", _summed_up, "x.new_zeros(x.shape[0], $bins).index_add(1, i, x)",
        {
            "one-hot product": "x @ F.one_hot(i, $bins).to(x.dtype)",
            "scattered": "x.new_zeros(x.shape[0], $bins).scatter_add(1, i.expand_as(x), x)",
            "bin by bin": "torch.stack([(x * (i == k)).sum(1) for k in range($bins)], 1)",
        },
        {
            "last written wins": "out = x.new_zeros(x.shape[0], $bins)\nfor k in range(len(i)):\n"
            "    out[:, i[k]] = x[:, k]\nreturn out",
            "last left out": "x.new_zeros(x.shape[0], $bins).index_add(1, i[:-1], x[:, :-1])",
            "mean": "x @ F.one_hot(i, $bins).to(x.dtype) / F.one_hot(i, $bins).sum(0).clamp(min=1)",
            "last bin left out": "x.new_zeros(x.shape[0], $bins).index_add(1, i, x * (i < $bins - 1))",
        },
        rows=False,
    ),
    Operator(
        "mask", _masked, "x.masked_fill(i == 0, $fill)",
        {
            "where": "torch.where(i == 0, x.new_tensor($fill), x)",
            "sum": "keep = (i != 0).to(x.dtype)\nreturn x * keep + $fill * (1 - keep)",
        },
        {
            "inverted": "x.masked_fill(i != 0, $fill)",
            "one further": "x.masked_fill(i == 1, $fill)",
            "at most one": "x.masked_fill(i <= 1, $fill)",
            "filled with another value": "x.masked_fill(i == 0, $fill + 0.01)",
            "mask of the first row": "x.masked_fill((i == 0)[:1], $fill)",
        },
        moves=True,
    ),
]  # fmt: skip

OPERATORS = [*MOVES, *LOOK_UPS]
