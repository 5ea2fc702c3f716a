"""Pointwise operators and losses."""

import math

import torch
from torch.nn import functional as F

from accuracy.operators import Operator, Tensors, Way
from accuracy.rounding import (
    Function,
    bf16,
    fp16,
    magic_rsqrt,
    plain,
    polynomial_exp,
    rational_tanh,
    relative_error,
    running_sum,
    schraudolph_exp,
    sigmoid_by_exp,
    sigmoid_gelu,
    tanh_by_exp,
    tanh_gelu,
)

SIZES = ((64, 257), (7, 5001))
EXP6, EXP3 = polynomial_exp(6), polynomial_exp(3)
FAST_EXP = {"Schraudolph exp": schraudolph_exp, "cubic exp": EXP3}


def values(m: int, n: int, g: Way) -> Tensors:
    return (g(m, n),)


def positive(m: int, n: int, g: Way) -> Tensors:
    return (g(m, n).abs() + 0.01,)


def pointwise(
    name: str,
    reference: Way,
    *,
    honest: dict[str, Function],
    fast: dict[str, Function],
    span: tuple[float, float] = (-12.0, 12.0),
    unfused: dict[str, Way] | None = None,
    inputs: Way = values,
) -> Operator:
    """One function of one tensor; the errors of ``fast`` are measured over ``span``."""
    measured = {n: (relative_error(f, reference, *span), f) for n, f in fast.items()}
    return Operator(
        name, "pointwise", SIZES, inputs, reference, honest=dict(honest), approximations=measured,
        unfused=unfused or {},
    )  # fmt: skip


def _fast(of: Way) -> dict[str, Function]:
    return {name: of(exp) for name, exp in FAST_EXP.items()}


def _silu(sigmoid: Function) -> Function:
    return lambda x: x * sigmoid(x)


def _loss(name: str, inputs: Way, reference: Way, honest: dict[str, Way], **more: dict[str, Way]) -> Operator:
    return Operator(name, "loss", ((256, 10), (64, 1000)), inputs, reference, honest=honest, **more)


def _targets(m: int, n: int, g: Way) -> torch.Tensor:
    return (g(m).abs() * 1e4).long() % n


def _pairs(m: int, n: int, g: Way) -> Tensors:
    return g(m, n), g(m, n)


def _cosine(a: torch.Tensor, b: torch.Tensor, rsqrt: Function = torch.rsqrt) -> torch.Tensor:
    return (a * b).sum(1) * rsqrt((a * a).sum(1).clamp(min=1e-16)) * rsqrt((b * b).sum(1).clamp(min=1e-16))


def _cross_entropy(x: torch.Tensor, y: torch.Tensor, exp: Function = torch.exp) -> torch.Tensor:
    top = x.amax(1)
    return (top + exp(x - top[:, None]).sum(1).log() - x.gather(1, y[:, None])[:, 0]).mean()


RSQRT = {f"magic rsqrt, {n} Newton steps": magic_rsqrt(n) for n in range(3)}

POINTWISE = (
    pointwise("exp", torch.exp, honest={"sixth-degree polynomial": EXP6}, fast=FAST_EXP),
    pointwise(
        "tanh",
        torch.tanh,
        honest={"from sigmoid": lambda x: torch.where(x.abs() < 0.5, torch.tanh(x), 2 * torch.sigmoid(2 * x) - 1)},
        fast={"rational tanh": rational_tanh, "clamp": lambda x: x.clamp(-1, 1)} | _fast(tanh_by_exp),
    ),
    pointwise(
        "sigmoid",
        torch.sigmoid,
        honest={"from exp": sigmoid_by_exp(torch.exp), "from a polynomial exp": sigmoid_by_exp(EXP6)},
        fast={
            "hard sigmoid": lambda x: (x / 6 + 0.5).clamp(0, 1),
            "rational tanh": lambda x: 0.5 + 0.5 * rational_tanh(0.5 * x),
        }
        | _fast(sigmoid_by_exp)
        | {
            "tail below -4 cut off": lambda x: torch.sigmoid(x) * (x > -4),
            "tail below -6 cut off": lambda x: torch.sigmoid(x) * (x > -6),
        },
        unfused={"step by step": lambda x: 1 / (1 + torch.exp(-x))},
    ),
    pointwise(
        "GELU",
        F.gelu,
        honest={
            "from erfc": lambda x: 0.5 * x * torch.erfc(-x * math.sqrt(0.5)),
            "from the normal distribution": lambda x: x * torch.special.ndtr(x),
        },
        fast={
            "tanh GELU": tanh_gelu,
            "sigmoid GELU": sigmoid_gelu,
            "identity above 3": lambda x: torch.where(x > 3, x, F.gelu(x)),
            "zero below -4": lambda x: torch.where(x < -4, 0.0, F.gelu(x)),
        },
        span=(-5, 12),
        unfused={"step by step": lambda x: 0.5 * x * torch.erfc(-x * math.sqrt(0.5))},
    ),
    pointwise(
        "SiLU",
        F.silu,
        honest={"from exp": _silu(sigmoid_by_exp(torch.exp)), "from a polynomial exp": _silu(sigmoid_by_exp(EXP6))},
        fast={"hard swish": F.hardswish, "zero below -6": lambda x: F.silu(x) * (x > -6)}
        | _fast(lambda exp: _silu(sigmoid_by_exp(exp))),
        unfused={"step by step": lambda x: x * torch.sigmoid(x)},
    ),
    pointwise(
        "softplus",
        F.softplus,
        honest={"from logaddexp": lambda x: torch.logaddexp(x, torch.zeros_like(x))},
        fast={
            "log of 1 + Schraudolph": lambda x: torch.log1p(schraudolph_exp(x)),
            "ReLU beyond 4": lambda x: torch.where(x.abs() > 4, F.relu(x), F.softplus(x)),
        },
    ),
    pointwise(
        "mish",
        F.mish,
        honest={"written out": lambda x: x * torch.tanh(torch.log1p(torch.exp(-x.abs())) + F.relu(x))},
        fast={
            "rational tanh": lambda x: x * rational_tanh(F.softplus(x)),
            "identity above 3": lambda x: torch.where(x > 3, x, F.mish(x)),
        },
        unfused={"step by step": lambda x: x * torch.tanh(F.softplus(x))},
    ),
    pointwise(
        "ELU",
        F.elu,
        honest={"from expm1": lambda x: torch.where(x > 0, x, torch.expm1(x))},
        fast=_fast(lambda exp: lambda x: torch.where(x > 0, x, exp(x) - 1))
        | {"-1 below -5": lambda x: torch.where(x < -5, -1.0, F.elu(x))},
    ),
    pointwise(
        "erf",
        torch.erf,
        honest={"from erfc": lambda x: torch.where(x.abs() < 0.5, torch.erf(x), x.sign() * (1 - torch.erfc(x.abs())))},
        fast={
            "tanh": lambda x: torch.tanh(1.1283791670955126 * x * (1 + 0.0895 * x * x)),
            "1 beyond 2.5": lambda x: torch.where(x.abs() > 2.5, x.sign(), torch.erf(x)),
        },
        span=(-4, 4),
    ),
    pointwise(
        "sine",
        torch.sin,
        honest={"from cosine": lambda x: torch.cos(x.double() - math.pi / 2).float()},
        fast={"seventh-degree Taylor": lambda x: x - x**3 / 6 + x**5 / 120 - x**7 / 5040},
        span=(-3, 3),
    ),
    pointwise(
        "logarithm",
        torch.log,
        honest={"from log2": lambda x: torch.log2(x) * 0.6931471805599453},
        fast={
            "linear in the mantissa": lambda x: (x.float().contiguous().view(torch.int32) - 0x3F7A3BEA) * 8.2629582e-8
        },
        span=(1.5, 50),
        inputs=positive,
    ),
    pointwise(
        "rsqrt",
        torch.rsqrt,
        honest={"1 / sqrt": lambda x: 1 / torch.sqrt(x)},
        fast=dict(RSQRT),
        span=(0.01, 40),
        inputs=positive,
    ),
    pointwise(
        "ReLU",
        F.relu,
        honest={"clamp": lambda x: x.clamp(min=0), "half of x + |x|": lambda x: 0.5 * (x + x.abs())},
        fast={"small values cut off": lambda x: torch.where(x < 1e-3, 0.0, x), "identity": lambda x: x.clone()},
    ),
    pointwise(
        "hard swish",
        F.hardswish,
        honest={"written out": lambda x: x * (x + 3).clamp(0, 6) * (1 / 6)},
        fast={"SiLU": F.silu, "clamped at 4": lambda x: F.hardswish(x).clamp(max=4)},
        unfused={"step by step": lambda x: x * F.relu6(x + 3) / 6},
    ),
    Operator(
        "quotient of two tensors",
        "pointwise",
        SIZES,
        _pairs,
        lambda a, b: a / (b.abs() + 0.1),
        honest={"by the reciprocal": lambda a, b: a * torch.reciprocal(b.abs() + 0.1)},
        unfused={"step by step": lambda a, b: a * torch.reciprocal(b.abs() + 0.1)},
        approximations={"another constant": (1e-3, lambda a, b: a / (b.abs() + 0.1001))}
        | {
            f"magic reciprocal, {n} Newton steps": (e, lambda a, b, n=n: a * magic_rsqrt(n)(b.abs() + 0.1).square())
            for n, e in ((0, 7e-2), (1, 3.5e-3), (2, 1e-5))
        },
    ),
    _loss(
        "mean squared error",
        _pairs,
        F.mse_loss,
        {
            "64 lanes": lambda a, b: running_sum((a - b).square().flatten(), 0, plain, 64) / a.numel(),
            "rows first": lambda a, b: (a - b).square().mean(1).mean(),
        },
        structure={
            "last element left out": lambda a, b: (a - b).flatten()[:-1].square().sum() / a.numel(),
            "last row left out": lambda a, b: (a - b)[:-1].square().sum() / a.numel(),
        },
        accumulators={
            "bfloat16 accumulator": lambda a, b: running_sum((a - b).square().flatten(), 0, bf16) / a.numel()
        },
    ),
    _loss(
        "cross entropy",
        lambda m, n, g: (g(m, n), _targets(m, n, g)),
        F.cross_entropy,
        {"written out": _cross_entropy, "polynomial exp": lambda x, y: _cross_entropy(x, y, EXP6)},
        unfused={"log softmax, then gather": lambda x, y: -F.log_softmax(x, 1).gather(1, y[:, None]).mean()},
        structure={
            "last class left out": lambda x, y: (torch.logsumexp(x[:, :-1], 1) - x.gather(1, y[:, None])[:, 0]).mean()
        },
        approximations={
            n: (relative_error(e, torch.exp, -12, 0), lambda x, y, e=e: _cross_entropy(x, y, e))
            for n, e in FAST_EXP.items()
        },
    ),
    _loss(
        "cosine similarity",
        _pairs,
        lambda a, b: F.cosine_similarity(a, b, eps=1e-8),
        {"three sums": _cosine},
        unfused={"step by step": _cosine},
        approximations={
            n: (relative_error(f, torch.rsqrt, 0.01, 40), lambda a, b, f=f: _cosine(a, b, f)) for n, f in RSQRT.items()
        },
        structure={"last column left out": lambda a, b: _cosine(a[:, :-1], b[:, :-1])},
    ),
    _loss(
        "binary cross entropy with logits",
        lambda m, n, g: (g(m, n), (g(m, n) > 0).float()),
        lambda x, y: F.binary_cross_entropy_with_logits(x, y.to(x.dtype), reduction="none").mean(1),
        {"written out": lambda x, y: (F.relu(x) - x * y + torch.log1p(torch.exp(-x.abs()))).mean(1)},
        approximations={
            n: (
                relative_error(e, torch.exp, -12, 0),
                lambda x, y, e=e: (F.relu(x) - x * y + torch.log1p(e(-x.abs()))).mean(1),
            )
            for n, e in FAST_EXP.items()
        },
        structure={
            "without the logarithm beyond 5": lambda x, y: (
                F.relu(x) - x * y + torch.log1p(torch.exp(-x.abs())) * (x.abs() < 5)
            ).mean(1)
        },
        accumulators={
            "float16 accumulator": lambda x, y: (
                running_sum(F.relu(x) - x * y + torch.log1p(torch.exp(-x.abs())), 1, fp16) / x.shape[1]
            )
        },
    ),
)
