"""Matrix products, attention, convolutions."""

from fuzz_operators import Draw, Operator, Setting, Shape, Weight
from hypothesis import strategies as st


def _linear(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) not in (2, 3) or shape[-1] < 3:
        return None
    k, n = shape[-1], draw(st.integers(2, 24))
    weights = {"w": Weight("matrix", (n, k), k), "b": Weight("shift", (n,))}
    return Setting((*shape[:-1], n), {"k": k, "half": k // 2}, weights)


def _bilinear(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 2 or shape[-1] < 3:
        return None
    return Setting(shape, weights={"w": Weight("matrix", (shape[1], shape[1]), shape[1])})


def _pairs(draw: Draw, shape: Shape) -> Setting | None:
    """Rows against rows."""
    if len(shape) not in (2, 3) or min(shape[-2:]) < 2:
        return None
    return Setting((*shape[:-1], shape[-2]), {"k": shape[-1], "half": shape[-1] // 2})


def _attention(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or min(shape[1:]) < 3:
        return None
    return Setting(shape, {"root": f"math.sqrt({shape[2]})", "d": shape[2]})


def _conv1d(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or shape[2] < 5:
        return None
    words = _window(draw, shape[2:])
    c, out, k = shape[1], draw(st.integers(2, 8)), words["k"]
    length = (shape[2] + 2 * words["p"] - words["d"] * (k - 1) - 1) // words["s"] + 1
    weights = {"w": Weight("matrix", (out, c, k), c * k), "b": Weight("shift", (out,))}
    return Setting((shape[0], out, length), {**words, "length": length}, weights)


def _conv2d(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 4 or min(shape[2:]) < 5:
        return None
    words = _window(draw, shape[2:])
    c, k = shape[1], words["k"]
    groups = draw(st.sampled_from([g for g in (1, 1, 2, c) if c % g == 0]))
    out = groups * draw(st.integers(1, 6 if groups == 1 else 2))
    height, width = ((size + 2 * words["p"] - words["d"] * (k - 1) - 1) // words["s"] + 1 for size in shape[2:])
    weights = {"w": Weight("matrix", (out, c // groups, k, k), c // groups * k * k), "b": Weight("shift", (out,))}
    words = {**words, "g": groups, "h": height, "wide": width}
    return Setting((shape[0], out, height, width), words, weights)


def _window(draw: Draw, sizes: Shape) -> dict[str, int]:
    k, d = draw(st.sampled_from([(1, 1), (2, 1), (3, 1), (3, 2), (2, 2)]))
    p = draw(st.integers(0, 2 if k > 1 else 0))
    return {"k": k, "d": d, "p": p, "s": draw(st.integers(1, 2))}


def _transposed(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or shape[2] < 3:
        return None
    c, out, k, s = shape[1], draw(st.integers(2, 6)), draw(st.integers(2, 4)), draw(st.integers(1, 2))
    p = draw(st.integers(0, 1))
    full = (shape[2] - 1) * s + k
    weights = {"w": Weight("matrix", (c, out, k), c * k), "b": Weight("shift", (out,))}
    return Setting((shape[0], out, full - 2 * p), {"k": k, "s": s, "p": p, "full": full}, weights)


_SPLIT = "x[..., :$half] @ {0}[..., :$half].mT + x[..., $half:] @ {0}[..., $half:].mT"

PRODUCTS = [
    Operator(
        "linear", _linear, "F.linear(x, w, b)",
        {
            "written out": "x @ w.t() + b",
            "split-K": _SPLIT.format("w") + " + b",
            "weight transposed once": "turned = w.t().contiguous()\nreturn torch.matmul(x, turned) + b",
            "einsum": 'torch.einsum("...k,nk->...n", x, w) + b',
            "outer products": """
                out = b.expand(*x.shape[:-1], -1).clone()
                for k in range($k):
                    out = out + x[..., k : k + 1] * w[:, k]
                return out
            """,
            "addmm on flat rows": "torch.addmm(b, x.reshape(-1, $k), w.t()).reshape(*x.shape[:-1], -1)",
            "columns in halves": """
                h = w.shape[0] // 2
                return torch.cat([F.linear(x, w[:h], b[:h]), F.linear(x, w[h:], b[h:])], -1)
            """,
            "sum of elementwise products": "(x.unsqueeze(-2) * w).sum(-1) + b",
        },
        {
            "bias left out": "F.linear(x, w)",
            "bias subtracted": "F.linear(x, w, -b)",
            "last term left out": "F.linear(x[..., :-1], w[:, :-1], b)",
            "columns one off": "F.linear(x, w.roll(1, 0), b)",
            "terms one off": "F.linear(x.roll(1, -1), w, b)",
            "bias added twice": _SPLIT.format("w") + " + b + b",
            "accumulator in bfloat16": """
                out = torch.zeros(*x.shape[:-1], w.shape[0], dtype=x.dtype)
                for k in range($k):
                    out = (out + x[..., k : k + 1] * w[:, k]).bfloat16().to(x.dtype)
                return out + b
            """,
        },
    ),
    Operator(
        "bilinear form", _bilinear, "(x @ w) * x",
        {
            "other order": "x * torch.einsum(\"bk,kn->bn\", x, w)",
            "outer products": "(x.unsqueeze(-1) * w).sum(1) * x",
        },
        {"transposed": "(x @ w.t()) * x", "sum": "(x @ w) + x", "last term left out": "(x[:, :-1] @ w[:-1]) * x"},
        grows=True,
    ),
    Operator(
        "rows against rows", _pairs, "x @ y.mT",
        {
            "einsum": 'torch.einsum("...ik,...jk->...ij", x, y)',
            "split-K": _SPLIT.format("y"),
            "other operand first": "(y @ x.mT).mT.contiguous()",
            "outer products": "sum(x[..., :, k, None] * y[..., None, :, k] for k in range($k))",
        },
        {
            "transposed": "(y @ x.mT).contiguous()",
            "scaled": "x @ y.mT / $k",
            "last term left out": "x[..., :-1] @ y[..., :-1].mT",
            "first with itself": "x @ x.mT",
        },
        second=True, grows=True, rows=False,
    ),
    Operator(
        "attention", _attention,
        "F.softmax(x @ y.mT / $root, -1) @ y",
        {
            "library": "F.scaled_dot_product_attention(x, y, y)",
            "scaled first": "F.softmax((x / $root) @ y.mT, -1) @ y",
            "normalised last": """
                scores = x @ y.mT / $root
                e = torch.exp(scores - scores.amax(-1, keepdim=True))
                return (e @ y) / e.sum(-1, keepdim=True)
            """,
            "online, three keys at a time": """
                top = x.new_full((*x.shape[:2], 1), -math.inf)
                total, out = torch.zeros_like(top), torch.zeros_like(x)
                for part in y.split(3, 1):
                    scores = x @ part.mT / $root
                    new = torch.maximum(top, scores.amax(-1, keepdim=True))
                    e, old = torch.exp(scores - new), torch.exp(top - new)
                    total = total * old + e.sum(-1, keepdim=True)
                    out, top = out * old + e @ part, new
                return out / total
            """,
        },
        {
            "not scaled": "F.softmax(x @ y.mT, -1) @ y",
            "scaled by the width": "F.softmax(x @ y.mT / $d, -1) @ y",
            "softmax over queries": "F.softmax(x @ y.mT / $root, 1) @ y",
            "values from the queries": "F.softmax(x @ y.mT / $root, -1) @ x",
            "last key left out": "F.softmax(x @ y[:, :-1].mT / $root, -1) @ y[:, :-1]",
            "causal": "F.scaled_dot_product_attention(x, y, y, is_causal=True)",
            "weights in bfloat16": "F.softmax(x @ y.mT / $root, -1).bfloat16().to(x.dtype) @ y",
        },
        second=True,
    ),
    Operator(
        "causal attention", _attention,
        "F.scaled_dot_product_attention(x, y, y, is_causal=True)",
        {
            "mask of minus infinity": """
                t = x.shape[1]
                later = torch.ones(t, t, dtype=torch.bool).triu(1)
                return F.softmax((x @ y.mT / $root).masked_fill(later, -math.inf), -1) @ y
            """,
            "query by query": """
                out = []
                for t in range(x.shape[1]):
                    scores = x[:, t : t + 1] @ y[:, : t + 1].mT / $root
                    out.append(F.softmax(scores, -1) @ y[:, : t + 1])
                return torch.cat(out, 1)
            """,
        },
        {
            "not causal": "F.scaled_dot_product_attention(x, y, y)",
            "one key too many": """
                t = x.shape[1]
                later = torch.ones(t, t, dtype=torch.bool).triu(2)
                return F.softmax((x @ y.mT / $root).masked_fill(later, -math.inf), -1) @ y
            """,
            "masked with zero": "t = x.shape[1]\nreturn F.softmax((x @ y.mT / $root).tril(), -1) @ y",
            "masked behind the softmax": "F.softmax(x @ y.mT / $root, -1).tril() @ y",
            "window of three": """
                t = x.shape[1]
                open_ = torch.ones(t, t, dtype=torch.bool).tril().triu(-2)
                return F.scaled_dot_product_attention(x, y, y, attn_mask=open_)
            """,
        },
        second=True,
    ),
]  # fmt: skip

_TAPS_1D = """
    padded = F.pad(x, ($p, $p))
    out = b[:, None].expand(x.shape[0], -1, $length).clone()
    for k in range($k):
        piece = padded[..., k * $d : k * $d + ($length - 1) * $s + 1 : $s]
        out = out + torch.einsum("bct,oc->bot", piece, w[..., k])
    return out
"""
_TAPS_2D = """
    padded = F.pad(x, ($p,) * 4)
    taps = w.reshape($g, -1, *w.shape[1:])
    out = b[:, None, None].expand(x.shape[0], -1, $h, $wide).clone()
    for i in range($k):
        for j in range($k):
            piece = padded[:, :, i * $d :, j * $d :][:, :, : ($h - 1) * $s + 1 : $s, : ($wide - 1) * $s + 1 : $s]
            piece = piece.reshape(x.shape[0], $g, -1, $h, $wide)
            out = out + torch.einsum("bgchw,goc->bgohw", piece, taps[..., i, j]).reshape(out.shape)
    return out
"""

CONVOLUTIONS = [
    Operator(
        "convolution in one dimension", _conv1d, "F.conv1d(x, w, b, $s, $p, $d)",
        {
            "tap by tap": _TAPS_1D,
            "windows and a product": """
                padded = F.pad(x, ($p, $p))
                taps = [padded[..., k * $d :][..., : ($length - 1) * $s + 1 : $s] for k in range($k)]
                return torch.einsum("bctk,ock->bot", torch.stack(taps, -1), w) + b[:, None]
            """,
            "as an image": "F.conv2d(x.unsqueeze(2), w.unsqueeze(2), b, (1, $s), (0, $p), (1, $d)).squeeze(2)",
        },
        {
            "kernel reversed": "F.conv1d(x, w.flip(-1), b, $s, $p, $d)",
            "bias left out": "F.conv1d(x, w, None, $s, $p, $d)",
            "edges repeated": 'F.conv1d(F.pad(x, ($p, $p), mode="replicate"), w, b, $s, 0, $d)',
            "circular": 'F.conv1d(F.pad(x, ($p, $p), mode="circular"), w, b, $s, 0, $d)',
            "padded on one side": "F.conv1d(F.pad(x, (2 * $p, 0)), w, b, $s, 0, $d)",
            "last channel left out": "F.conv1d(x[:, :-1], w[:, :-1], b, $s, $p, $d)",
            "last tap left out": "F.conv1d(x, torch.cat([w[..., :-1], 0 * w[..., -1:]], -1), b, $s, $p, $d)",
            "starts one later": "F.conv1d(x.roll(-1, -1), w, b, $s, $p, $d)",
        },
    ),
    Operator(
        "convolution", _conv2d, "F.conv2d(x, w, b, $s, $p, $d, $g)",
        {
            "tap by tap": _TAPS_2D,
            "im2col": """
                columns = F.unfold(x, $k, dilation=$d, padding=$p, stride=$s)
                columns = columns.reshape(x.shape[0], $g, -1, columns.shape[-1])
                out = torch.einsum("goc,bgcl->bgol", w.reshape($g, w.shape[0] // $g, -1), columns)
                return out.reshape(x.shape[0], -1, $h, $wide) + b[:, None, None]
            """,
            "channels last": "y = x.contiguous(memory_format=torch.channels_last)\n"
            "return F.conv2d(y, w, b, $s, $p, $d, $g).contiguous()",
            "padded first": "F.conv2d(F.pad(x, ($p,) * 4), w, None, $s, 0, $d, $g) + b[:, None, None]",
            "group by group": """
                parts = zip(x.chunk($g, 1), w.chunk($g), b.chunk($g))
                return torch.cat([F.conv2d(xs, ws, bs, $s, $p, $d) for xs, ws, bs in parts], 1)
            """,
        },
        {
            "kernel reversed": "F.conv2d(x, w.flip((-1, -2)), b, $s, $p, $d, $g)",
            "kernel transposed": "F.conv2d(x, w.mT, b, $s, $p, $d, $g)",
            "bias left out": "F.conv2d(x, w, None, $s, $p, $d, $g)",
            "edges repeated": 'F.conv2d(F.pad(x, ($p,) * 4, mode="replicate"), w, b, $s, 0, $d, $g)',
            "padded on one side": "F.conv2d(F.pad(x, (2 * $p, 0, $p, $p)), w, b, $s, 0, $d, $g)",
            "wider steps between taps": "F.conv2d(x, w, b, $s, $p + $k // 2, $d + 1, $g)",
            "last tap left out": "kept = w.clone()\nkept[..., -1, -1] = 0\nreturn F.conv2d(x, kept, b, $s, $p, $d, $g)",
            "channels one off": "F.conv2d(x.roll(1, 1), w, b, $s, $p, $d, $g)",
            "outputs one off": "F.conv2d(x, w.roll(1, 0), b, $s, $p, $d, $g)",
            "bias one off": "F.conv2d(x, w, b.roll(1), $s, $p, $d, $g)",
        },
    ),
    Operator(
        "transposed convolution", _transposed, "F.conv_transpose1d(x, w, b, $s, $p)",
        {
            "scattered": """
                out = x.new_zeros(x.shape[0], w.shape[1], $full)
                for k in range($k):
                    out[..., k : k + (x.shape[-1] - 1) * $s + 1 : $s] += torch.einsum("bct,co->bot", x, w[..., k])
                return out[..., $p : $full - $p] + b[:, None]
            """,
            "zeros between, kernel reversed": """
                spread = x.new_zeros(*x.shape[:2], (x.shape[-1] - 1) * $s + 1)
                spread[..., :: $s] = x
                return F.conv1d(F.pad(spread, ($k - 1 - $p,) * 2), w.flip(-1).transpose(0, 1), b)
            """,
        },
        {
            "kernel reversed": "F.conv_transpose1d(x, w.flip(-1), b, $s, $p)",
            "bias left out": "F.conv_transpose1d(x, w, None, $s, $p)",
            "cut at one side": "F.conv_transpose1d(x, w, b, $s)[..., : $full - 2 * $p].clone()",
            "last written wins": """
                out = x.new_zeros(x.shape[0], w.shape[1], $full)
                for k in range($k):
                    out[..., k : k + (x.shape[-1] - 1) * $s + 1 : $s] = torch.einsum("bct,co->bot", x, w[..., k])
                return out[..., $p : $full - $p] + b[:, None]
            """,
        },
    ),
]  # fmt: skip

OPERATORS = [*PRODUCTS, *CONVOLUTIONS]
