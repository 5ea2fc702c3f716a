"""The graphs of ``metal_inductor.py``: small functions of tensors, one for each thing that a back end can get wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """A function and what it is called with. Constants are made in ``function``, weights are inputs."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[Tensor, ...]


_draws = torch.Generator().manual_seed(20)


def f32(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=_draws)


def f16(*shape: int) -> Tensor:
    return f32(*shape).half()


def bf16(*shape: int) -> Tensor:
    return f32(*shape).bfloat16()


def unit(*shape: int) -> Tensor:
    """Between 0 and 1, both kept clear of."""
    return torch.rand(*shape, generator=_draws) * 0.98 + 0.01


def ints(low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.randint(low, high, shape, generator=_draws).to(dtype)


def flags(*shape: int) -> Tensor:
    return f32(*shape) > 0


def rotary(x: Tensor, angles: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.transpose(-1, -2) * 0.25
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(ahead, float("-inf")).softmax(-1) @ v


def running(x: Tensor) -> tuple[Tensor, ...]:
    return x.cumsum(-1) / torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device), x.cumprod(0)


POINTWISE = (
    Case("gelu, mul, sin", lambda x, y: F.gelu(x) * y + torch.sin(x), (f32(64, 100), f32(64, 100))),
    Case("gelu by tanh", lambda x: F.gelu(x, approximate="tanh"), (f32(64, 100),)),
    Case("exp, log, sqrt", lambda x: (x.exp() + x.log()).sqrt(), (unit(999) + 1,)),
    Case("expm1, log1p", lambda x: torch.expm1(x) - torch.log1p(x.abs()), (f32(1000),)),
    Case("tan, atan, asin, acos", lambda x: x.tan() + x.atan() - x.asin() * x.acos(), (unit(500),)),
    Case("sinh, cosh, atanh", lambda x: x.sinh() / x.cosh() + x.atanh(), (unit(500),)),
    Case("asinh, acosh", lambda x: x.asinh() + (x + 1).acosh(), (unit(500),)),
    Case("sigmoid, silu, tanh", lambda x: F.silu(x) + x.sigmoid() * x.tanh(), (f32(7, 33),)),
    Case("mish, softplus", lambda x: F.mish(x) + F.softplus(x), (f32(7, 33),)),
    Case("hardswish, hardsigmoid, hardtanh", lambda x: F.hardswish(x) + F.hardsigmoid(x) - F.hardtanh(x), (f32(300),)),
    Case("elu, selu, celu, leaky relu", lambda x: F.elu(x) + F.selu(x) + F.celu(x) + F.leaky_relu(x), (f32(300),)),
    Case("prelu by channel", F.prelu, (f32(3, 5, 8), f32(5))),
    Case("clamp chain", lambda x: (x.clamp(-1, 1) * 2).clamp(min=0.1).relu(), (f32(1001),)),
    Case("pow, atan2, hypot", lambda x, y: x.abs().pow(1.7) + torch.atan2(x, y) + torch.hypot(x, y),
         (f32(400), f32(400))),
    Case("floor, ceil, round, trunc, frac", lambda x: x.floor() + 2 * x.ceil() + 4 * x.round() + x.trunc() + x.frac(),
         (f32(400) * 9,)),
    Case("fmod, remainder", lambda x, y: torch.fmod(x, y) + torch.remainder(x, y), (f32(400) * 5, unit(400) + 0.5)),
    Case("copysign, sign, abs, lerp", lambda x, y: torch.copysign(x, y) * y.sign() + torch.lerp(x, y, 0.3),
         (f32(400), f32(400))),
    Case("erf, erfc, erfinv", lambda x: torch.erf(x) + torch.erfc(x) + torch.erfinv(x), (unit(400),)),
    Case("lgamma, digamma", lambda x: torch.lgamma(x) + torch.digamma(x), (unit(400) + 1,)),
    Case("bessel functions", lambda x: torch.special.i0(x) + torch.special.i1e(x) + torch.special.bessel_j0(x),
         (f32(400),)),
    Case("nan and infinity", lambda x: torch.where((1 / x).isinf(), 7.0, x / x.abs()).nan_to_num(3.0),
         (f32(40).relu(),)),
    Case("broadcast outer sum", lambda x, y: (x[:, None] - y[None]).abs().sqrt(), (f32(60), f32(70))),
)  # fmt: skip

DTYPES = (
    Case("half arithmetic", lambda x, y: (x * y + 1).exp() - x, (f16(64, 50), f16(64, 50))),
    Case("bfloat activation", lambda x: torch.tanh(x) * 2 + F.silu(x), (bf16(64, 50),)),
    Case("half and float", lambda x, y: x * y + x, (f16(500), f32(500))),
    Case("half to bfloat to float", lambda x: (x.bfloat16() * 2).float() + x.float(), (f16(500),)),
    Case("half layer norm", lambda x, w, b: F.layer_norm(x, (96,), w, b), (f16(20, 96), f16(96), f16(96))),
    Case("bfloat softmax", lambda x: x.softmax(-1), (bf16(20, 96),)),
    Case("int32 arithmetic", lambda x, y: (x * 3 + y) % 7 - x // 2,
         (ints(-50, 50, 300, dtype=torch.int32), ints(1, 9, 300, dtype=torch.int32))),
    Case("int64 beyond 32 bits", lambda x: x * 5_000_000_000 + (x << 2), (ints(-9, 9, 300),)),
    Case("uint8 bits", lambda x, y: (x & y) | (x ^ 37),
         (ints(0, 255, 300, dtype=torch.uint8), ints(0, 255, 300, dtype=torch.uint8))),
    Case("int8 and int16", lambda x, y: x.to(torch.int16) * 11 + y,
         (ints(-100, 100, 300, dtype=torch.int8), ints(-9, 9, 300, dtype=torch.int16))),
    Case("bool logic", lambda x, y: (x & ~y) | (x != y), (flags(300), flags(300))),
    Case("float to int and back", lambda x: (x * 10).to(torch.int32).float() / 3, (f32(300),)),
    Case("integer true division", lambda x, y: x / y, (ints(-50, 50, 300), ints(1, 9, 300))),
)  # fmt: skip

REDUCTIONS = (
    Case("sum of all", lambda x: x.sum(), (f32(64, 1000),)),
    Case("sum of rows", lambda x: x.sum(-1), (f32(64, 1000),)),
    Case("sum of columns", lambda x: x.sum(0), (f32(64, 1000),)),
    Case("sum of two axes", lambda x: x.sum((0, 2)), (f32(4, 30, 50),)),
    Case("mean of the middle axis", lambda x: x.mean(1, keepdim=True) - x, (f32(4, 30, 50),)),
    Case("sum of a long row", lambda x: x.square().sum(-1), (f32(3, 5001),)),
    Case("amax, amin, mean", lambda x: (x.amax(0), x.amin(1), x.mean(0)), (f32(64, 100),)),
    Case("prod", lambda x: x.prod(-1), (unit(20, 40) + 0.5,)),
    Case("any, all", lambda x: (x.any(-1), x.all(0)), (flags(20, 40),)),
    Case("var, std", lambda x: (x.var(-1), x.std(0, correction=0)), (f32(20, 400),)),
    Case("var_mean of a long row", lambda x: torch.var_mean(x, -1), (f32(3, 3000) + 5,)),
    Case("logsumexp", lambda x: torch.logsumexp(x, -1), (f32(20, 400) * 9,)),
    Case("norms", lambda x: (x.norm(dim=-1), x.norm(p=1, dim=0)), (f32(20, 40),)),
    Case("argmax, argmin", lambda x: (x.argmax(-1), x.argmin(0)), (f32(64, 100),)),
    Case("argmax of ties", lambda x: x.argmax(-1), (ints(0, 4, 30, 64).float(),)),
    Case("argmax of a long row", lambda x: x.argmax(-1), (f32(3, 5001),)),
    Case("max with positions", lambda x: tuple(torch.max(x, dim=1)), (f32(8, 32, 64),)),
    Case("half sum, bfloat mean", lambda x, y: (x.sum(-1), y.mean(-1)), (f16(30, 70), bf16(30, 70))),
    Case("integer sums", lambda x: (x.sum(), (x > 3).sum(0), x.amax(-1)), (ints(-9, 9, 30, 40),)),
    Case("sum of nothing long", lambda x: x[:, :1].sum(1) + x.sum(1), (f32(30, 2),)),
)  # fmt: skip

NORMALISATION = (
    Case("softmax", lambda x: x.softmax(-1), (f32(64, 1000),)),
    Case("softmax of a long row", lambda x: x.softmax(-1), (f32(2, 5001),)),
    Case("softmax of the middle axis", lambda x: x.softmax(1), (f32(3, 50, 20),)),
    Case("log softmax", lambda x: x.log_softmax(-1), (f32(30, 300),)),
    Case("masked softmax", lambda x, m: x.masked_fill(m, float("-inf")).softmax(-1), (f32(30, 60), flags(30, 60))),
    Case("layer norm", lambda x, w, b: F.layer_norm(x, (1000,), w, b), (f32(64, 1000), f32(1000), f32(1000))),
    Case("layer norm of two axes", lambda x: F.layer_norm(x, (30, 50)), (f32(4, 30, 50),)),
    Case("group norm", lambda x, w, b: F.group_norm(x, 4, w, b), (f32(3, 16, 6, 6), f32(16), f32(16))),
    Case("instance norm", F.instance_norm, (f32(3, 5, 9, 9),)),
    Case("batch norm", F.batch_norm, (f32(3, 5, 9, 9), f32(5), unit(5), f32(5))),
    Case("rms norm, mul, add", lambda x, w, r: F.rms_norm(x + r, (128,), w) + r,
         (f32(30, 128), f32(128), f32(30, 128))),
    Case("l2 normalise", lambda x: F.normalize(x, dim=-1), (f32(30, 128),)),
)  # fmt: skip

INDEXING = (
    Case("running mean and product", running, (f32(20, 30),)),
    Case("gather", lambda x, i: torch.gather(x, 1, i) * 2, (f32(20, 30), ints(0, 30, 20, 10))),
    Case("rows by index", lambda x, i: x[i] * 2, (f32(64, 100), ints(0, 64, 32))),
    Case("negative index", lambda x, i: x[i] + 1, (f32(64, 10), ints(-64, 64, 32))),
    Case("embedding and sum", lambda i, w: F.embedding(i, w).sum(1), (ints(0, 50, 8, 6), f32(50, 24))),
    Case("index_add", lambda x, i: torch.zeros(8, 10, dtype=x.dtype, device=x.device).index_add(0, i, x),
         (f32(40, 10), ints(0, 8, 40))),
    Case("scatter_add, scatter", lambda x, i: (torch.zeros_like(x).scatter_add(1, i, x), x.scatter(1, i[:, :1], 5.0)),
         (f32(9, 20), ints(0, 20, 9, 20))),
    Case("one hot", lambda i: F.one_hot(i, 12) * 3, (ints(0, 12, 40),)),
    Case("tril, triu, diagonal", lambda x: x.tril() + x.triu(2) * 3 + x.diagonal(), (f32(30, 30),)),
    Case("roll, flip", lambda x: x.roll(3, 1) + x.flip(0), (f32(20, 30),)),
    Case("index_put", lambda x, i: x.clone().index_put((i,), x[:5] + 1), (f32(20, 30), torch.tensor([3, 1, 19, 0, 7]))),
    Case("bucketize by comparison", lambda x, e: (x[:, None] > e).sum(1), (f32(99), f32(10).sort().values)),
    Case("topk, sort", lambda x: (x.topk(5, -1).values * 2, (x + 1).sort(-1).values), (f32(20, 30),)),
)  # fmt: skip

SHAPES = (
    Case("cat", lambda x, y: torch.cat([x * 2, y, x + 1], 1), (f32(20, 30), f32(20, 7))),
    Case("stack, unbind", lambda x, y: torch.stack([x, y], -1).sin().unbind(0)[3], (f32(20, 30), f32(20, 30))),
    Case("pad", lambda x: F.pad(x, (1, 2, 3, 0), value=0.5).exp(), (f32(4, 9, 9),)),
    Case("reflection pad", lambda x: F.pad(x, (2, 1), mode="reflect") * 2, (f32(4, 9),)),
    Case("slices with steps", lambda x: x[:, ::2] - x[:, 1::2], (f32(20, 30),)),
    Case("transpose, contiguous", lambda x, y: (x.t() + y).contiguous(), (f32(30, 70), f32(70, 30))),
    Case("repeat, expand", lambda x: x.repeat(2, 3) * x.expand(2, 5, 4).reshape(10, 4).repeat(1, 3), (f32(5, 4),)),
    Case("pixel shuffle", lambda x: F.pixel_shuffle(x, 2).relu(), (f32(2, 8, 5, 5),)),
    Case("outer window", lambda x: x.unfold(1, 4, 2).mean(-1), (f32(6, 20),)),
    Case("max pool", lambda x: F.max_pool2d(x, 3, 2, 1), (f32(2, 4, 15, 15),)),
    Case("average pool", lambda x: F.avg_pool2d(x.relu(), 2), (f32(2, 4, 16, 16),)),
    Case("adaptive average pool", lambda x: F.adaptive_avg_pool2d(x, 3), (f32(2, 4, 10, 10),)),
    Case("global average pool", lambda x: x.square().mean((2, 3)), (f32(2, 4, 40, 40),)),
    Case("upsample nearest", lambda x: F.interpolate(x, scale_factor=2), (f32(2, 3, 7, 7),)),
    Case("upsample bilinear", lambda x: F.interpolate(x, size=(11, 13), mode="bilinear"), (f32(2, 3, 7, 7),)),
    Case("grid sample", lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False),
         (f32(2, 3, 7, 7), f32(2, 5, 5, 2))),
)  # fmt: skip

MODELS = (
    Case("perceptron", lambda x, w, v: F.relu(x @ w) @ v, (f32(16, 32), f32(32, 64), f32(64, 8))),
    Case("linear, gelu, residual", lambda x, w, b: F.gelu(F.linear(x, w, b)) + x, (f32(16, 32), f32(32, 32), f32(32))),
    Case("gated feed forward", lambda x, w, g: F.silu(x @ w) * (x @ g), (f32(16, 32), f32(32, 48), f32(32, 48))),
    Case("convolution, bias, relu", lambda x, w, b: F.conv2d(x, w, b, padding=1).relu(),
         (f32(2, 3, 12, 12), f32(8, 3, 3, 3), f32(8))),
    Case("depthwise convolution, silu", lambda x, w: F.silu(F.conv2d(x, w, groups=4)),
         (f32(2, 4, 12, 12), f32(4, 1, 3, 3))),
    Case("transposed convolution, mean", lambda x, w: F.conv_transpose2d(x, w, stride=2).mean((2, 3)),
         (f32(2, 3, 6, 6), f32(3, 4, 3, 3))),
    Case("attention by hand", attention, (f32(2, 4, 20, 16), f32(2, 4, 20, 16), f32(2, 4, 20, 16))),
    Case("attention, scaled", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True) * 2,
         (f32(2, 4, 20, 16), f32(2, 4, 20, 16), f32(2, 4, 20, 16))),
    Case("rotary embedding", rotary, (f32(2, 4, 10, 16), f32(10, 8))),
    Case("position bias", lambda x: (x - torch.arange(30, dtype=x.dtype, device=x.device)).abs().neg().softmax(-1),
         (f32(20, 30),)),
)  # fmt: skip

LOSSES = (
    Case("mean squared error", F.mse_loss, (f32(30, 40), f32(30, 40))),
    Case("smooth l1, huber", lambda x, y: F.smooth_l1_loss(x, y) + F.huber_loss(x, y, delta=0.5),
         (f32(30, 40), f32(30, 40))),
    Case("cross entropy", F.cross_entropy, (f32(30, 40), ints(0, 40, 30))),
    Case("binary cross entropy with logits", F.binary_cross_entropy_with_logits, (f32(30, 40), unit(30, 40))),
    Case("Kullback-Leibler divergence", lambda x, y: F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="batchmean"),
         (f32(30, 40), f32(30, 40))),
    Case("cosine similarity", F.cosine_similarity, (f32(30, 40), f32(30, 40))),
    Case("triplet margin", F.triplet_margin_loss, (f32(30, 40), f32(30, 40), f32(30, 40))),
    Case("hinge embedding", lambda x, y: F.hinge_embedding_loss(x, y.sign()), (f32(30, 40), f32(30, 40))),
)  # fmt: skip

CASES = (*POINTWISE, *DTYPES, *REDUCTIONS, *NORMALISATION, *INDEXING, *SHAPES, *MODELS, *LOSSES)
