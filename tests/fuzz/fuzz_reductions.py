"""Sums, means, extremes and moments along an axis."""

from fuzz_operators import Draw, Operator, Setting, Shape
from hypothesis import strategies as st


def without(shape: Shape, axis: int, keep: bool) -> Shape:
    """The shape with one dimension reduced."""
    return (*shape[:axis], *((1,) if keep else ()), *shape[axis + 1 :])


def reduced(draw: Draw, shape: Shape) -> Setting | None:
    """Any axis with two elements or more of a tensor with two dimensions or more."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    if len(shape) < 2 or not axes:
        return None
    axis = draw(st.sampled_from(axes[::-1]))
    keep = draw(st.booleans()) if len(shape) > 2 else True
    words = {"axis": axis, "other": draw(st.sampled_from([a for a in range(len(shape)) if a != axis])), "keep": keep}
    return Setting(without(shape, axis, keep), words)


OPERATORS = [
    Operator(
        "sum", reduced, "x.sum($axis, keepdim=$keep)",
        {
            "two halves": """
                n = x.shape[$axis] // 2
                first, second = x.split([n, x.shape[$axis] - n], $axis)
                return first.sum($axis, keepdim=$keep) + second.sum($axis, keepdim=$keep)
            """,
            "from the end": "x.flip($axis).sum($axis, keepdim=$keep)",
            "one after the other": """
                total = torch.zeros_like(x.select($axis, 0))
                for part in x.unbind($axis):
                    total = total + part
                return total.unsqueeze($axis) if $keep else total
            """,
            "product with ones": """
                total = x.movedim($axis, -1) @ torch.ones(x.shape[$axis], dtype=x.dtype)
                return total.unsqueeze($axis) if $keep else total
            """,
            "four lanes": """
                lanes = [x.movedim($axis, 0)[k::4].sum(0) for k in range(4)]
                total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
                return total.unsqueeze($axis) if $keep else total
            """,
            "compensated": """
                total = torch.zeros_like(x.select($axis, 0))
                lost = torch.zeros_like(total)
                for part in x.unbind($axis):
                    term = part - lost
                    new = total + term
                    lost = (new - total) - term
                    total = new
                return total.unsqueeze($axis) if $keep else total
            """,
            "last of the prefix sums": """
                total = x.cumsum($axis).select($axis, -1)
                return total.unsqueeze($axis) if $keep else total.clone()
            """,
        },
        {
            "last left out": "x.narrow($axis, 0, x.shape[$axis] - 1).sum($axis, keepdim=$keep)",
            "first left out": "x.narrow($axis, 1, x.shape[$axis] - 1).sum($axis, keepdim=$keep)",
            "first twice": "x.sum($axis, keepdim=$keep) + x.narrow($axis, 0, 1).sum($axis, keepdim=$keep)",
            "mean": "x.mean($axis, keepdim=$keep)",
            "magnitudes": "x.abs().sum($axis, keepdim=$keep)",
            "maximum": "x.amax($axis, keepdim=$keep)",
            "other axis": "x.sum($other, keepdim=$keep)",
            "accumulator in bfloat16": """
                total = torch.zeros_like(x.select($axis, 0))
                for part in x.unbind($axis):
                    total = (total + part).bfloat16().to(x.dtype)
                return total.unsqueeze($axis) if $keep else total
            """,
        },
        rows=False,
    ),
    Operator(
        "mean", reduced, "x.mean($axis, keepdim=$keep)",
        {
            "sum by count": "x.sum($axis, keepdim=$keep) / x.shape[$axis]",
            "sum times reciprocal": "x.sum($axis, keepdim=$keep) * (1 / x.shape[$axis])",
            "scaled first": "(x / x.shape[$axis]).sum($axis, keepdim=$keep)",
            "running": """
                mean = torch.zeros_like(x.select($axis, 0))
                for k, part in enumerate(x.unbind($axis)):
                    mean = mean + (part - mean) / (k + 1)
                return mean.unsqueeze($axis) if $keep else mean
            """,
            "two parts, weighted": """
                n = x.shape[$axis]
                first, second = x.split([n // 2, n - n // 2], $axis)
                total = first.mean($axis) * (n // 2) + second.mean($axis) * (n - n // 2)
                return (total / n).unsqueeze($axis) if $keep else total / n
            """,
        },
        {
            "sum": "x.sum($axis, keepdim=$keep)",
            "count less one": "x.sum($axis, keepdim=$keep) / (x.shape[$axis] - 1)",
            "last left out": "x.narrow($axis, 0, x.shape[$axis] - 1).mean($axis, keepdim=$keep)",
            "median": "x.median($axis, keepdim=$keep).values",
            "two parts, not weighted": """
                n = x.shape[$axis]
                parts = x.split([n // 2 + 1, n - n // 2 - 1], $axis) if n > 2 else (x, x)
                return (parts[0].mean($axis, keepdim=$keep) + parts[1].mean($axis, keepdim=$keep)) / 2
            """,
            "other axis": "x.mean($other, keepdim=$keep)",
        },
        rows=False,
    ),
    Operator(
        "maximum", reduced, "x.amax($axis, keepdim=$keep)",
        {
            "values of max": "x.max($axis, keepdim=$keep).values",
            "last of the sorted": "torch.sort(x, $axis).values.narrow($axis, -1, 1).sum($axis, keepdim=$keep)",
            "negative minimum": "-(-x).amin($axis, keepdim=$keep)",
            "one after the other": """
                top = x.select($axis, 0).clone()
                for part in x.unbind($axis)[1:]:
                    top = torch.maximum(top, part)
                return top.unsqueeze($axis) if $keep else top
            """,
        },
        {
            "minimum": "x.amin($axis, keepdim=$keep)",
            "starts from zero": "x.amax($axis, keepdim=$keep).clamp(min=0)",
            "last left out": "x.narrow($axis, 0, x.shape[$axis] - 1).amax($axis, keepdim=$keep)",
            "second largest": "x.topk(2, $axis).values.narrow($axis, 1, 1).sum($axis, keepdim=$keep)",
            "largest magnitude": "x.abs().amax($axis, keepdim=$keep)",
            "logsumexp": "x.logsumexp($axis, keepdim=$keep)",
        },
        rows=False,
    ),
    Operator(
        "logsumexp", reduced, "torch.logsumexp(x, $axis, keepdim=$keep)",
        {
            "maximum taken off": """
                top = x.amax($axis, keepdim=True)
                out = top + torch.log(torch.exp(x - top).sum($axis, keepdim=True))
                return out if $keep else out.squeeze($axis)
            """,
            "online": """
                top = torch.full_like(x.select($axis, 0), -math.inf)
                total = torch.zeros_like(top)
                for part in x.unbind($axis):
                    new = torch.maximum(top, part)
                    total = total * torch.exp(top - new) + torch.exp(part - new)
                    top = new
                out = top + torch.log(total)
                return out.unsqueeze($axis) if $keep else out
            """,
            "logaddexp, one after the other": """
                out = x.select($axis, 0).clone()
                for part in x.unbind($axis)[1:]:
                    out = torch.logaddexp(out, part)
                return out.unsqueeze($axis) if $keep else out
            """,
        },
        {
            "maximum": "x.amax($axis, keepdim=$keep)",
            "mean inside": "torch.logsumexp(x, $axis, keepdim=$keep) - math.log(x.shape[$axis])",
            "last left out": "torch.logsumexp(x.narrow($axis, 0, x.shape[$axis] - 1), $axis, keepdim=$keep)",
            "base two": "torch.logsumexp(x * math.log(2), $axis, keepdim=$keep) / math.log(2)",
            "terms four below the maximum cut off": """
                cut = x.masked_fill(x < x.amax($axis, keepdim=True) - 4, -math.inf)
                return torch.logsumexp(cut, $axis, keepdim=$keep)
            """,
            "other axis": "torch.logsumexp(x, $other, keepdim=$keep)",
        },
        rows=False,
    ),
    Operator(
        "variance", reduced, "x.var($axis, keepdim=$keep)",
        {
            "two passes": """
                centred = x - x.mean($axis, keepdim=True)
                return centred.square().sum($axis, keepdim=$keep) / (x.shape[$axis] - 1)
            """,
            "Welford": """
                mean = torch.zeros_like(x.select($axis, 0))
                total = torch.zeros_like(mean)
                for k, part in enumerate(x.unbind($axis)):
                    step = part - mean
                    mean = mean + step / (k + 1)
                    total = total + step * (part - mean)
                out = total / (x.shape[$axis] - 1)
                return out.unsqueeze($axis) if $keep else out
            """,
            "two parts, merged": """
                n = x.shape[$axis]
                a, b = x.split([n // 2, n - n // 2], $axis)
                means = [part.mean($axis, keepdim=True) for part in (a, b)]
                squares = [(p - m).square().sum($axis, keepdim=True) for p, m in zip((a, b), means)]
                gap = (means[1] - means[0]).square() * (n // 2 * (n - n // 2) / n)
                out = (squares[0] + squares[1] + gap) / (n - 1)
                return out if $keep else out.squeeze($axis)
            """,
        },
        {
            "biased": "x.var($axis, correction=0, keepdim=$keep)",
            "deviation": "x.std($axis, keepdim=$keep)",
            "not centred": "x.square().sum($axis, keepdim=$keep) / (x.shape[$axis] - 1)",
            "last left out": "(x - x.mean($axis, keepdim=True)).narrow($axis, 0, x.shape[$axis] - 1)"
            ".square().sum($axis, keepdim=$keep) / (x.shape[$axis] - 1)",
            "magnitudes": "(x - x.mean($axis, keepdim=True)).abs().mean($axis, keepdim=$keep)",
        },
        rows=False, grows=True,
    ),
    Operator(
        "root of the sum of squares", reduced, "torch.sqrt(x.square().sum($axis, keepdim=$keep) + 1)",
        {
            "norm": "y = torch.linalg.vector_norm(x, dim=$axis, keepdim=$keep)\nreturn torch.sqrt(y * y + 1)",
            "one hypot after the other": """
                out = torch.ones_like(x.select($axis, 0))
                for part in x.unbind($axis):
                    out = torch.hypot(out, part)
                return out.unsqueeze($axis) if $keep else out
            """,
        },
        {
            "without the one": "torch.linalg.vector_norm(x, dim=$axis, keepdim=$keep)",
            "mean of squares": "torch.sqrt(x.square().mean($axis, keepdim=$keep) + 1)",
            "sum of magnitudes": "x.abs().sum($axis, keepdim=$keep) + 1",
            "last left out": "torch.sqrt(x.narrow($axis, 0, x.shape[$axis] - 1)"
            ".square().sum($axis, keepdim=$keep) + 1)",
        },
        rows=False,
    ),
]  # fmt: skip
