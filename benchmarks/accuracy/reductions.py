"""Reductions, searches and pooling, and the moments that normalisations are made of."""

import math

import torch
from torch.nn import functional as F

from accuracy.operators import Operator, Tensors, Way
from accuracy.pointwise import EXP6, FAST_EXP, RSQRT
from accuracy.rounding import Function, bf16, fp16, kahan_sum, plain, relative_error, running_sum

ROWS = ((64, 256), (16, 4096), (4, 65536))
CHANNELS = ((4, 16, 12), (2, 32, 17))


def rows(m: int, n: int, g: Way) -> Tensors:
    return (g(m, n),)


def images(n: int, c: int, h: int, g: Way) -> Tensors:
    return (g(n, c, h, h),)


def exp_ways(of: Way) -> dict[str, tuple[float, Way]]:
    return {name: (relative_error(exp, torch.exp, -12, 0), of(exp)) for name, exp in FAST_EXP.items()}


def rsqrt_ways(of: Way) -> dict[str, tuple[float, Way]]:
    return {name: (relative_error(f, torch.rsqrt, 0.01, 40), of(f)) for name, f in RSQRT.items()}


def online(x: torch.Tensor, width: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Running maximum and sum of exponentials over blocks of a row (Milakov and Gimelshein 2018, arXiv:1805.02867)."""
    top = torch.full_like(x[:, :1], -math.inf)
    total = torch.zeros_like(top)
    for part in x.split(width, 1):
        higher = torch.maximum(top, part.amax(1, keepdim=True))
        total = total * torch.exp(top - higher) + torch.exp(part - higher).sum(1, keepdim=True)
        top = higher
    return top, total


def welford(x: torch.Tensor, width: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of the rows, blocks merged after Chan, Golub and LeVeque (1983)."""
    count, mean, square = 0, torch.zeros_like(x[:, :1]), torch.zeros_like(x[:, :1])
    for part in x.split(width, 1):
        n = part.shape[1]
        own = part.mean(1, keepdim=True)
        delta = own - mean
        mean = mean + delta * (n / (count + n))
        square = square + (part - own).square().sum(1, keepdim=True) + delta.square() * (count * n / (count + n))
        count += n
    return mean, square / count


def two_pass(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = x.mean(1, keepdim=True)
    return mean, (x - mean).square().mean(1, keepdim=True)


def one_pass(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From the sums of values and of squares."""
    mean = x.mean(1, keepdim=True)
    return mean, x.square().mean(1, keepdim=True) - mean.square()


def in_format(to: Function) -> Way:
    """Sums of values and of squares with accumulators of a lower format."""

    def run(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        n = x.shape[1]
        mean = (running_sum(x, 1, to, 32) / n)[:, None]
        return mean, (running_sum((x - mean).square(), 1, to, 32) / n)[:, None]

    return run


MOMENTS: dict[str, Way] = {"Welford in blocks": welford, "two passes": two_pass, "one pass": one_pass}
LOW_MOMENTS: dict[str, Way] = {"bfloat16 sums": in_format(bf16), "float16 sums": in_format(fp16)}


def _sums(reference: Way, finish: Way) -> dict[str, dict[str, Way]]:
    """Ways to add up rows; ``finish`` makes the result of sum and number."""

    def ending(way: Way) -> Way:
        return lambda x: finish(way(x), x.shape[1])

    return {
        "honest": {
            "32 lanes": ending(lambda x: running_sum(x, 1, plain, 32)),
            "256 lanes": ending(lambda x: running_sum(x, 1, plain, 256)),
            "blocks, then blocks": ending(lambda x: torch.stack([p.sum(1) for p in x.split(64, 1)]).sum(0)),
            "from the end": ending(lambda x: running_sum(x.flip(1), 1, plain, 64)),
        },
        "structure": {
            "last element left out": lambda x: finish(x[:, :-1].sum(1), x.shape[1]),
            "last 64 left out": lambda x: finish(x[:, :-64].sum(1), x.shape[1]),
            "every second element": lambda x: finish(2 * x[:, ::2].sum(1), x.shape[1]),
        },
        "accumulators": {
            "bfloat16 accumulator": ending(lambda x: running_sum(x, 1, bf16, 32)),
            "float16 accumulator": ending(lambda x: running_sum(x, 1, fp16, 32)),
        },
    }


def _pool(x: torch.Tensor, way: Way) -> torch.Tensor:
    n, c, h, w = x.shape
    windows = x[..., : h // 2 * 2, : w // 2 * 2].unfold(2, 2, 2).unfold(3, 2, 2)
    return way(windows.reshape(n, c, h // 2, w // 2, 4))


REDUCTIONS = (
    Operator("sum of rows", "reduction", ROWS, rows, lambda x: x.sum(1), **_sums(torch.sum, lambda s, n: s)),
    Operator(
        "mean of positives",
        "reduction",
        ROWS,
        lambda m, n, g: (g(m, n).abs(),),
        lambda x: x.mean(1),
        **_sums(torch.mean, lambda s, n: s / n),
    ),
    Operator(
        "sum of all",
        "reduction",
        ((64, 256), (16, 4096)),
        rows,
        lambda x: x.sum(),
        honest={
            "rows first": lambda x: x.sum(1).sum(),
            "Kahan": lambda x: kahan_sum(x.flatten(), 0),
            "64 lanes": lambda x: running_sum(x.flatten(), 0, plain, 64),
        },
        structure={
            "last row left out": lambda x: x[:-1].sum(),
            "last element left out": lambda x: x.flatten()[:-1].sum(),
        },
        accumulators={"bfloat16 accumulator": lambda x: running_sum(x.flatten(), 0, bf16, 64)},
    ),
    Operator(
        "variance",
        "reduction",
        ROWS[:2],
        rows,
        lambda x: x.var(1, correction=0),
        honest={n: lambda x, m=m: m(x)[1][:, 0] for n, m in MOMENTS.items()},
        structure={
            "moments without the last 32": lambda x: two_pass(x[:, :-32])[1][:, 0],
            "mean not taken off": lambda x: x.square().mean(1),
        },
        accumulators={n: lambda x, m=m: m(x)[1][:, 0] for n, m in LOW_MOMENTS.items()},
    ),
    Operator(
        "Euclidean norm",
        "reduction",
        ROWS[:2],
        rows,
        lambda x: torch.linalg.vector_norm(x, dim=1),
        honest={
            "root of the sum of squares": lambda x: x.square().sum(1).sqrt(),
            "64 lanes": lambda x: running_sum(x.square(), 1, plain, 64).sqrt(),
        },
        structure={"last element left out": lambda x: torch.linalg.vector_norm(x[:, :-1], dim=1)},
        accumulators={"bfloat16 accumulator": lambda x: running_sum(x.square(), 1, bf16, 32).sqrt()},
        approximations=rsqrt_ways(lambda f: lambda x: x.square().sum(1) * f(x.square().sum(1))),
    ),
    Operator(
        "logsumexp",
        "reduction",
        ROWS[:2],
        rows,
        lambda x: torch.logsumexp(x, 1),
        honest={
            "online": lambda x: (online(x)[0] + online(x)[1].log())[:, 0],
            "polynomial exp": lambda x: x.amax(1) + EXP6(x - x.amax(1, keepdim=True)).sum(1).log(),
        },
        structure={
            "last 32 left out": lambda x: torch.logsumexp(x[:, :-32], 1),
            "maximum not taken off": lambda x: x.exp().sum(1).log(),
            "terms 8 below the maximum cut off": lambda x: torch.logsumexp(
                torch.where(x < x.amax(1, keepdim=True) - 8, -math.inf, x), 1
            ),
        },
        approximations=exp_ways(lambda exp: lambda x: x.amax(1) + exp(x - x.amax(1, keepdim=True)).sum(1).log()),
    ),
    Operator(
        "maximum",
        "order",
        ROWS[:2],
        rows,
        lambda x: x.amax(1),
        honest={"blocks": lambda x: torch.stack([p.amax(1) for p in x.split(64, 1)]).amax(0)},
        structure={
            "last 64 left out": lambda x: x[:, :-64].amax(1),
            "starts at zero": lambda x: x.amax(1).clamp(min=0),
        },
    ),
    Operator(
        "argmax",
        "order",
        ROWS[:2],
        rows,
        lambda x: x.argmax(1),
        honest={"first of the maxima": lambda x: (x == x.amax(1, keepdim=True)).int().argmax(1)},
        structure={
            "last of the maxima": lambda x: x.shape[1] - 1 - x.flip(1).argmax(1),
            "last 64 left out": lambda x: x[:, :-64].argmax(1),
        },
    ),
    Operator(
        "top 8",
        "order",
        ROWS[:2],
        rows,
        lambda x: torch.topk(x, 8, 1)[0],
        honest={"by sorting": lambda x: x.sort(1, descending=True)[0][:, :8]},
        structure={
            "one from each of 8 blocks": lambda x: torch.stack([p.amax(1) for p in x.chunk(8, 1)], 1).sort(
                1, descending=True
            )[0],
            "last 64 left out": lambda x: torch.topk(x[:, :-64], 8, 1)[0],
        },
    ),
    Operator(
        "max pooling",
        "pooling",
        CHANNELS,
        images,
        lambda x: F.max_pool2d(x, 2),
        honest={"over windows": lambda x: _pool(x, lambda w: w.amax(-1))},
        structure={
            "padded with zeros": lambda x: F.max_pool2d(x, 2).clamp(min=0),
            "three of four": lambda x: _pool(x, lambda w: w[..., :3].amax(-1)),
        },
    ),
    Operator(
        "average pooling",
        "pooling",
        CHANNELS,
        images,
        lambda x: F.avg_pool2d(x, 2),
        honest={"over windows": lambda x: _pool(x, lambda w: w.sum(-1) * 0.25)},
        structure={"three of four": lambda x: _pool(x, lambda w: w[..., :3].mean(-1))},
    ),
    Operator(
        "global average pooling",
        "pooling",
        CHANNELS,
        images,
        lambda x: F.adaptive_avg_pool2d(x, 1),
        honest={"64 lanes": lambda x: running_sum(x.flatten(2), 2, plain, 64)[..., None, None] / x[0, 0].numel()},
        structure={"last row left out": lambda x: x[:, :, :-1].sum((2, 3), keepdim=True) / x[0, 0].numel()},
        accumulators={
            "bfloat16 accumulator": lambda x: running_sum(x.flatten(2), 2, bf16, 32)[..., None, None] / x[0, 0].numel()
        },
    ),
)
