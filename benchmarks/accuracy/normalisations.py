"""Softmax and normalisations."""

import torch
from torch.nn import functional as F

from accuracy.operators import Operator, Tensors, Way
from accuracy.pointwise import EXP6
from accuracy.reductions import (
    CHANNELS,
    LOW_MOMENTS,
    MOMENTS,
    ROWS,
    exp_ways,
    images,
    online,
    rows,
    rsqrt_ways,
    two_pass,
)
from accuracy.rounding import Function, bf16, plain, running_sum


def _affine(n: int, g: Way) -> Tensors:
    return 1 + 0.2 * g(n), 0.1 * g(n)


def softmax(x: torch.Tensor, exp: Function = torch.exp) -> torch.Tensor:
    e = exp(x - x.amax(1, keepdim=True))
    return e / e.sum(1, keepdim=True)


def online_softmax(x: torch.Tensor) -> torch.Tensor:
    top, total = online(x)
    return torch.exp(x - top) / total


def _most(moments: Way) -> Way:
    """Moments of all but the last 32 columns."""
    return lambda x: moments(x[:, :-32])


def normalised(moments: Way, *, eps: float = 1e-5, rsqrt: Function = torch.rsqrt) -> Way:
    def run(x: torch.Tensor) -> torch.Tensor:
        mean, variance = moments(x)
        return (x - mean) * rsqrt(variance + eps)

    return run


def _layer(way: Way) -> Way:
    return lambda x, w, b: way(x) * w + b


def _grouped(way: Way, groups: int) -> Way:
    """A row-wise normalisation as group norm over images."""

    def run(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        y = way(x.reshape(len(x) * groups, -1)).reshape(x.shape)
        return y * w[:, None, None] + b[:, None, None]

    return run


def normalisation(name: str, wrap: Way, reference: Way, sizes: tuple[tuple[int, ...], ...], inputs: Way, weights: Way):
    """IsolationLayer, group and instance norm: the same moments around different rows."""
    return Operator(
        name,
        "normalisation",
        sizes,
        inputs,
        reference,
        weights=weights,
        honest={n: wrap(normalised(m)) for n, m in MOMENTS.items()},
        unfused={"step by step": wrap(normalised(two_pass))},
        structure={
            "eps 1e-3": wrap(normalised(two_pass, eps=1e-3)),
            "eps 0": wrap(normalised(two_pass, eps=0.0)),
            "moments without the last 32": wrap(normalised(_most(two_pass))),
            "mean not taken off the squares": wrap(normalised(lambda x: (two_pass(x)[0], x.square().mean(1, True)))),
        },
        accumulators={n: wrap(normalised(m)) for n, m in LOW_MOMENTS.items()},
        approximations=rsqrt_ways(lambda f: wrap(normalised(two_pass, rsqrt=f))),
    )


def _group_l2(x: torch.Tensor, rsqrt: Function = torch.rsqrt) -> torch.Tensor:
    return x * rsqrt(x.square().sum(1, keepdim=True).clamp(min=1e-24))


def _rms(x: torch.Tensor, w: torch.Tensor, eps: float = 1e-6, rsqrt: Function = torch.rsqrt) -> torch.Tensor:
    return x * rsqrt(x.square().mean(1, keepdim=True) + eps) * w


def _statistics(n: int, c: int, h: int, g: Way) -> Tensors:
    return g(c), g(c).abs() + 0.5, 1 + 0.2 * g(c), 0.1 * g(c)


def _batch_norm(x: torch.Tensor, m: torch.Tensor, v: torch.Tensor, w: torch.Tensor, b: torch.Tensor, eps: float = 1e-5):
    scale = w * torch.rsqrt(v + eps)
    return x * scale[:, None, None] + (b - m * scale)[:, None, None]


NORMALISATIONS = (
    Operator(
        "softmax",
        "softmax",
        ROWS[:2],
        rows,
        lambda x: torch.softmax(x, 1),
        honest={
            "online": online_softmax,
            "polynomial exp": lambda x: softmax(x, EXP6),
            "by the reciprocal": lambda x: (
                torch.exp(x - x.amax(1, keepdim=True)) * (1 / torch.exp(x - x.amax(1, keepdim=True)).sum(1, True))
            ),
            "as exp of log": lambda x: torch.exp(torch.log_softmax(x, 1)),
        },
        structure={
            "maximum not taken off": lambda x: x.exp() / x.exp().sum(1, keepdim=True),
            "tail below 1e-5 cut off": lambda x: torch.where(softmax(x) < 1e-5, 0.0, softmax(x)),
            "sum without the last 32": lambda x: torch.exp(x - torch.logsumexp(x[:, :-32], 1, keepdim=True)),
        },
        unfused={"step by step": softmax},
        accumulators={
            "bfloat16 sum": lambda x: (
                torch.exp(x - x.amax(1, keepdim=True))
                / running_sum(torch.exp(x - x.amax(1, keepdim=True)), 1, bf16, 32)[:, None]
            )
        },
        approximations=exp_ways(lambda exp: lambda x: softmax(x, exp)),
    ),
    Operator(
        "log softmax",
        "softmax",
        ROWS[:2],
        rows,
        lambda x: torch.log_softmax(x, 1),
        honest={"online": lambda x: (x - online(x)[0]) - online(x)[1].log()},
        structure={
            "log of the softmax": lambda x: torch.log(softmax(x)),
            "sum without the last 32": lambda x: x - torch.logsumexp(x[:, :-32], 1, keepdim=True),
        },
        approximations=exp_ways(
            lambda exp: lambda x: x - x.amax(1, True) - exp(x - x.amax(1, True)).sum(1, True).log()
        ),
    ),
    normalisation(
        "layer norm",
        _layer,
        lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b),
        ROWS[:2],
        rows,
        lambda m, n, g: _affine(n, g),
    ),
    normalisation(
        "group norm",
        lambda way: _grouped(way, 4),
        lambda x, w, b: F.group_norm(x, 4, w, b),
        CHANNELS,
        images,
        lambda n, c, h, g: _affine(c, g),
    ),
    normalisation(
        "instance norm",
        lambda way: lambda x, w, b: _grouped(way, x.shape[1])(x, w, b),
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        CHANNELS,
        images,
        lambda n, c, h, g: _affine(c, g),
    ),
    Operator(
        "RMS norm",
        "normalisation",
        ROWS[:2],
        rows,
        lambda x, w: F.rms_norm(x, x.shape[1:], w, eps=1e-6),
        weights=lambda m, n, g: _affine(n, g)[:1],
        honest={
            "written out": _rms,
            "64 lanes": lambda x, w: (
                x * torch.rsqrt(running_sum(x.square(), 1, plain, 64)[:, None] / x.shape[1] + 1e-6) * w
            ),
        },
        structure={
            "eps 1e-4": lambda x, w: _rms(x, w, 1e-4),
            "squares without the last 32": lambda x, w: x * torch.rsqrt(x[:, :-32].square().mean(1, True) + 1e-6) * w,
        },
        unfused={
            "step by step": _rms,
            "in two roundings": lambda x, w: _rms(x.float(), torch.ones(())).to(x.dtype) * w,
        },
        accumulators={
            "bfloat16 sum of squares": lambda x, w: (
                x * torch.rsqrt(running_sum(x.square(), 1, bf16, 32)[:, None] / x.shape[1] + 1e-6) * w
            )
        },
        approximations=rsqrt_ways(lambda f: lambda x, w: _rms(x, w, rsqrt=f)),
    ),
    Operator(
        "batch norm, frozen",
        "normalisation",
        CHANNELS,
        images,
        lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b, eps=1e-5),
        weights=_statistics,
        honest={
            "folded into scale and shift": _batch_norm,
            "written out": lambda x, m, v, w, b: (
                (x - m[:, None, None]) / torch.sqrt(v + 1e-5)[:, None, None] * w[:, None, None] + b[:, None, None]
            ),
        },
        approximations={"eps 1e-3": (1e-3, lambda x, m, v, w, b: _batch_norm(x, m, v, w, b, 1e-3))},
        unfused={"step by step": _batch_norm},
    ),
    Operator(
        "L2 normalisation",
        "normalisation",
        ROWS[:2],
        rows,
        lambda x: F.normalize(x, dim=1),
        honest={"by rsqrt": _group_l2},
        unfused={"step by step": _group_l2},
        structure={"last 32 left out": lambda x: x * torch.rsqrt(x[:, :-32].square().sum(1, True))},
        approximations=rsqrt_ways(lambda f: lambda x: _group_l2(x, f)),
    ),
)
