"""Softmax, normalisations, distances and losses by row."""

from fuzz_operators import Draw, Operator, Setting, Shape, Weight
from hypothesis import strategies as st


def _axis(draw: Draw, shape: Shape) -> Setting | None:
    axes = [axis for axis, size in enumerate(shape) if size > 2]
    if len(shape) < 2 or not axes:
        return None
    axis = draw(st.sampled_from(axes[::-1]))
    return Setting(shape, {"axis": axis, "other": draw(st.sampled_from([a for a in range(len(shape)) if a != axis]))})


def _rows(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 2 or shape[-1] < 4:
        return None
    weights = {"w": Weight("scale", shape[-1:]), "b": Weight("shift", shape[-1:])}
    return Setting(shape, {"n": shape[-1], "eps": draw(st.sampled_from(["1e-5", "1e-3", "1e-2"]))}, weights)


def _scaled_rows(draw: Draw, shape: Shape) -> Setting | None:
    setting = _rows(draw, shape)
    return setting and Setting(shape, setting.words, {"w": setting.weights["w"]})


def _channels(draw: Draw, shape: Shape) -> Setting | None:
    """Weights by channel, which is dimension 1; ``$across`` makes them fit."""
    if len(shape) < 2:
        return None
    c = shape[1:2]
    kinds = {"m": "mean", "v": "variance", "w": "scale", "b": "shift"}
    words = {"across": (1, -1, *[1] * (len(shape) - 2)), "eps": draw(st.sampled_from(["1e-5", "1e-3", "1e-2"]))}
    return Setting(shape, words, {name: Weight(kind, c) for name, kind in kinds.items()})


def _groups(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) < 3:
        return None
    fits = [g for g in range(1, shape[1] + 1) if shape[1] % g == 0 and shape[1] // g * shape[2] >= 4]
    if not fits:
        return None
    setting = _channels(draw, shape)
    assert setting is not None
    words = {**setting.words, "groups": draw(st.sampled_from(fits)), "channels": shape[1]}
    return Setting(shape, words, {name: setting.weights[name] for name in "wb"})


def _by_row(draw: Draw, shape: Shape) -> Setting | None:
    return Setting(shape[:-1]) if len(shape) == 3 and shape[-1] > 1 else None


def _distances(draw: Draw, shape: Shape) -> Setting | None:
    return Setting((shape[0], shape[0])) if len(shape) == 2 and shape[0] > 1 and shape[1] > 1 else None


def _layer_norm(line: str, scale: str = "* w + b") -> str:
    return f"""
        mean = x.mean(-1, keepdim=True)
        centred = x - mean
        variance = centred.square().mean(-1, keepdim=True)
        {line}
        return centred {scale}
    """


def _batch_norm(expression: str) -> str:
    return f"""
        m, v, w, b = (t.reshape($across) for t in (m, v, w, b))
        return {expression}
    """


def _group_norm(expression: str) -> str:
    return f"""
        grouped = x.reshape(x.shape[0], $groups, -1)
        mean = grouped.mean(-1, keepdim=True)
        variance = (grouped - mean).square().mean(-1, keepdim=True)
        normal = ({expression}).reshape(x.shape)
        return normal * w.reshape($across) + b.reshape($across)
    """


SOFTMAX = [
    Operator(
        "softmax", _axis, "F.softmax(x, $axis)",
        {
            "maximum taken off": "e = torch.exp(x - x.amax($axis, keepdim=True))\n"
            "return e / e.sum($axis, keepdim=True)",
            "online": """
                top = torch.full_like(x.select($axis, 0), -math.inf)
                total = torch.zeros_like(top)
                for part in x.unbind($axis):
                    new = torch.maximum(top, part)
                    total = total * torch.exp(top - new) + torch.exp(part - new)
                    top = new
                return torch.exp(x - top.unsqueeze($axis)) / total.unsqueeze($axis)
            """,
            "reciprocal of the sum": """
                e = torch.exp2((x - x.amax($axis, keepdim=True)) * (1 / math.log(2)))
                return e * (1 / e.sum($axis, keepdim=True))
            """,
            "exponential of the logarithm": "torch.exp(x - torch.logsumexp(x, $axis, keepdim=True))",
        },
        {
            "other axis": "F.softmax(x, $other)",
            "sum without the last": """
                e = torch.exp(x - x.amax($axis, keepdim=True))
                return e / e.narrow($axis, 0, x.shape[$axis] - 1).sum($axis, keepdim=True).clamp(min=1e-30)
            """,
            "warmer": "F.softmax(x * 0.99, $axis)",
            "of the negative": "F.softmax(-x, $axis)",
            "base two": "F.softmax(x * math.log(2), $axis)",
            "sigmoid": "torch.sigmoid(x)",
            "not normalised": "torch.exp(x - x.amax($axis, keepdim=True))",
        },
        rows=False,
    ),
    Operator(
        "log softmax", _axis, "F.log_softmax(x, $axis)",
        {
            "logsumexp": "x - torch.logsumexp(x, $axis, keepdim=True)",
            "maximum taken off": """
                y = x - x.amax($axis, keepdim=True)
                return y - torch.log(torch.exp(y).sum($axis, keepdim=True))
            """,
        },
        {
            "other axis": "F.log_softmax(x, $other)",
            "guarded logarithm": "torch.log(F.softmax(x, $axis) + 1e-3)",
            "softmax": "F.softmax(x, $axis)",
            "maximum for the sum": "x - x.amax($axis, keepdim=True)",
            "mean for the sum": "F.log_softmax(x, $axis) + math.log(x.shape[$axis])",
        },
        rows=False,
    ),
]  # fmt: skip

NORMS = [
    Operator(
        "layer norm", _rows, "F.layer_norm(x, ($n,), w, b, $eps)",
        {
            "two passes": _layer_norm("centred = centred * torch.rsqrt(variance + $eps)"),
            "Welford": """
                mean = torch.zeros_like(x[..., 0])
                total = torch.zeros_like(mean)
                for k in range($n):
                    step = x[..., k] - mean
                    mean = mean + step / (k + 1)
                    total = total + step * (x[..., k] - mean)
                scale = torch.rsqrt(total / $n + $eps)
                return (x - mean.unsqueeze(-1)) * scale.unsqueeze(-1) * w + b
            """,
            "library moments": """
                variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
                return torch.addcmul(b, (x - mean) / torch.sqrt(variance + $eps), w)
            """,
        },
        {
            "unbiased": _layer_norm("centred = centred * torch.rsqrt(variance * $n / ($n - 1) + $eps)"),
            "bias left out": "F.layer_norm(x, ($n,), w, None, $eps)",
            "weight left out": "F.layer_norm(x, ($n,), None, b, $eps)",
            "no epsilon": _layer_norm("centred = centred * torch.rsqrt(variance + 1e-30)"),
            "larger epsilon": "F.layer_norm(x, ($n,), w, b, $eps * 2)",
            "epsilon outside": _layer_norm("centred = centred / (torch.sqrt(variance) + $eps)"),
            "not centred": "x * torch.rsqrt(x.square().mean(-1, keepdim=True) + $eps) * w + b",
            "bias first": _layer_norm("centred = centred * torch.rsqrt(variance + $eps)", "+ b) * w").replace(
                "return centred", "return (centred"
            ),
        },
    ),
    Operator(
        "root mean square norm", _scaled_rows, "F.rms_norm(x, ($n,), w, $eps)",
        {
            "written out": "x * torch.rsqrt(x.square().mean(-1, keepdim=True) + $eps) * w",
            "quotient": "x / torch.sqrt((x * x).sum(-1, keepdim=True) / $n + $eps) * w",
            "weight first": "(x * w) * torch.rsqrt((x * x).mean(-1, keepdim=True) + $eps)",
        },
        {
            "sum of squares": "x * torch.rsqrt(x.square().sum(-1, keepdim=True) + $eps) * w",
            "last left out": "x * torch.rsqrt(x[..., :-1].square().sum(-1, keepdim=True) / $n + $eps) * w",
            "centred": "F.layer_norm(x, ($n,), w, None, $eps)",
            "weight plus one": "F.rms_norm(x, ($n,), w + 1, $eps)",
            "larger epsilon": "F.rms_norm(x, ($n,), w, $eps * 2)",
            "magnitudes": "x / (x.abs().mean(-1, keepdim=True) + $eps) * w",
        },
    ),
    Operator(
        "batch norm", _channels, "F.batch_norm(x, m, v, w, b, False, 0.1, $eps)",
        {
            "written out": _batch_norm("(x - m) / torch.sqrt(v + $eps) * w + b"),
            "folded": _batch_norm("x * (w * torch.rsqrt(v + $eps)) + (b - m * (w * torch.rsqrt(v + $eps)))"),
            "in place": _batch_norm("x.sub(m).mul_(torch.rsqrt(v + $eps)).mul_(w).add_(b)"),
        },
        {
            "statistics of the batch": "F.batch_norm(x, None, None, w, b, True, 0.1, $eps)",
            "mean left out": _batch_norm("x / torch.sqrt(v + $eps) * w + b"),
            "variance not rooted": _batch_norm("(x - m) / (v + $eps) * w + b"),
            "weight left out": _batch_norm("(x - m) / torch.sqrt(v + $eps) + b"),
            "bias left out": _batch_norm("(x - m) / torch.sqrt(v + $eps) * w"),
            "weight and bias swapped": _batch_norm("(x - m) / torch.sqrt(v + $eps) * b + w"),
            "larger epsilon": "F.batch_norm(x, m, v, w, b, False, 0.1, $eps * 2)",
            "folded with the wrong sign": _batch_norm(
                "x * (w * torch.rsqrt(v + $eps)) + (b + m * (w * torch.rsqrt(v + $eps)))"
            ),
        },
    ),
    Operator(
        "group norm", _groups, "F.group_norm(x, $groups, w, b, $eps)",
        {
            "two passes": _group_norm("(grouped - mean) * torch.rsqrt(variance + $eps)"),
            "quotient": _group_norm("(grouped - mean) / torch.sqrt(variance + $eps)"),
            "folded": """
                parts = x.reshape(x.shape[0], $groups, -1)
                variance, mean = torch.var_mean(parts, -1, correction=0)
                scale = torch.rsqrt(variance + $eps).repeat_interleave($channels // $groups, 1) * w
                shift = mean.repeat_interleave($channels // $groups, 1)
                tail = (1,) * (x.dim() - 2)
                scale, shift = (t.reshape(*t.shape, *tail) for t in (scale, shift))
                return (x - shift) * scale + b.reshape($across)
            """,
        },
        {
            "one group": "F.group_norm(x, 1, w, b, $eps)",
            "a group for each channel": "F.group_norm(x, $channels, w, b, $eps)",
            "unbiased": _group_norm(
                "(grouped - mean) * torch.rsqrt(variance * grouped.shape[-1] / (grouped.shape[-1] - 1) + $eps)"
            ),
            "not centred": _group_norm("grouped * torch.rsqrt(grouped.square().mean(-1, keepdim=True) + $eps)"),
            "bias left out": "F.group_norm(x, $groups, w, None, $eps)",
            "larger epsilon": "F.group_norm(x, $groups, w, b, $eps * 2)",
        },
    ),
    Operator(
        "length one", _axis, "x / torch.sqrt(x.square().sum($axis, keepdim=True) + 1e-3)",
        {
            "reciprocal root": "x * torch.rsqrt((x * x).sum($axis, keepdim=True) + 1e-3)",
            "norm": "n = torch.linalg.vector_norm(x, dim=$axis, keepdim=True)\nreturn x / torch.sqrt(n * n + 1e-3)",
        },
        {
            "other axis": "x / torch.sqrt(x.square().sum($other, keepdim=True) + 1e-3)",
            "mean of squares": "x / torch.sqrt(x.square().mean($axis, keepdim=True) + 1e-3)",
            "sum of magnitudes": "F.normalize(x, p=1, dim=$axis)",
            "no epsilon": "F.normalize(x, dim=$axis)",
            "last left out": "n = x.narrow($axis, 0, x.shape[$axis] - 1)\n"
            "return x / torch.sqrt(n.square().sum($axis, keepdim=True) + 1e-3)",
        },
        rows=False,
    ),
]  # fmt: skip

PAIRS = [
    Operator(
        "mean squared difference", _by_row, "(x - y).square().mean(-1)",
        {
            "sum by count": "d = x - y\nreturn (d * d).sum(-1) / x.shape[-1]",
            "einsum": 'd = x - y\nreturn torch.einsum("...k,...k->...", d, d) * (1 / x.shape[-1])',
        },
        {
            "sum": "(x - y).square().sum(-1)",
            "magnitudes": "(x - y).abs().mean(-1)",
            "count less one": "(x - y).square().sum(-1) / (x.shape[-1] - 1)",
            "last left out": "(x - y)[..., :-1].square().sum(-1) / x.shape[-1]",
        },
        second=True, grows=True,
    ),
    Operator(
        "Huber loss", _by_row, 'F.smooth_l1_loss(x, y, reduction="none").mean(-1)',
        {
            "where": "d = (x - y).abs()\nreturn torch.where(d < 1, 0.5 * d * d, d - 0.5).mean(-1)",
            "clamp": "d = (x - y).abs()\nq = d.clamp(max=1)\nreturn (q * (d - 0.5 * q)).mean(-1)",
        },
        {
            "half left out": "d = (x - y).abs()\nreturn torch.where(d < 1, 0.5 * d * d, d).mean(-1)",
            "another bound": 'F.smooth_l1_loss(x, y, reduction="none", beta=1.25).mean(-1)',
            "squared only": "0.5 * (x - y).square().mean(-1)",
            "magnitudes only": "(x - y).abs().mean(-1)",
        },
        second=True,
    ),
    Operator(
        "cosine", _by_row, "(x * y).sum(-1) / torch.sqrt(x.square().sum(-1) * y.square().sum(-1) + 1e-3)",
        {
            "einsum": 'n = torch.einsum("...k,...k->...", x, x) * torch.einsum("...k,...k->...", y, y)\n'
            'return torch.einsum("...k,...k->...", x, y) * torch.rsqrt(n + 1e-3)',
        },
        {
            "last left out": "(x * y)[..., :-1].sum(-1) / torch.sqrt(x.square().sum(-1) * y.square().sum(-1) + 1e-3)",
            "second not normalised": "(x * y).sum(-1) / torch.sqrt(x.square().sum(-1) + 1e-3)",
            "no epsilon": "F.cosine_similarity(x, y, dim=-1)",
        },
        second=True, grows=True,
    ),
    Operator(
        "distances", _distances, "torch.sqrt((x[:, None] - y[None, :]).square().sum(-1) + 1e-3)",
        {
            "row by row": "torch.stack([torch.sqrt((row - y).square().sum(-1) + 1e-3) for row in x])",
            "column by column": """
                total = torch.zeros(x.shape[0], y.shape[0], dtype=x.dtype)
                for k in range(x.shape[1]):
                    total += (x[:, None, k] - y[None, :, k]).square()
                return torch.sqrt(total + 1e-3)
            """,
        },
        {
            "operands swapped": "torch.sqrt((y[:, None] - x[None, :]).square().sum(-1) + 1e-3)",
            "squared": "(x[:, None] - y[None, :]).square().sum(-1) + 1e-3",
            "magnitudes": "(x[:, None] - y[None, :]).abs().sum(-1)",
            "last left out": "torch.sqrt((x[:, None] - y[None, :])[..., :-1].square().sum(-1) + 1e-3)",
        },
        second=True, rows=False,
    ),
]  # fmt: skip

OPERATORS = [*SOFTMAX, *NORMS, *PAIRS]
