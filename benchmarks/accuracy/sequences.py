"""Scans, attention and recurrent cells."""

import math

import torch
from torch.nn import functional as F

from accuracy.normalisations import softmax
from accuracy.operators import Operator, Tensors, Way
from accuracy.pointwise import EXP6, FAST_EXP
from accuracy.products import split_k
from accuracy.rounding import (
    Function,
    bf16,
    fp16,
    rational_tanh,
    relative_error,
    schraudolph_exp,
    sigmoid_by_exp,
    split_product,
    tf32,
)

ROWS = ((64, 256), (8, 4096))


def rows(m: int, n: int, g: Way) -> Tensors:
    return (g(m, n),)


def blocked_scan(x: torch.Tensor, width: int = 64, to: Way = lambda s: s) -> torch.Tensor:
    """Running sums of blocks, with the sum of what went before carried over; the carry is rounded by ``to``."""
    carry, done = torch.zeros_like(x[:, :1]), []
    for part in x.split(width, 1):
        done.append(part.cumsum(1) + carry)
        carry = to(carry + part.sum(1, keepdim=True))
    return torch.cat(done, 1)


def doubling_scan(x: torch.Tensor) -> torch.Tensor:
    """Hillis and Steele (1986): log₂ n steps, each adds what stands 2^k to the left."""
    step = 1
    while step < x.shape[1]:
        x = torch.cat([x[:, :step], x[:, step:] + x[:, :-step]], 1)
        step *= 2
    return x


def recurrence(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """h_t = σ(a_t) h_{t-1} + x_t along dimension 1, in the dtype of ``x``."""
    h, decay, done = torch.zeros_like(x[:, 0]), torch.sigmoid(a), []
    for t in range(x.shape[1]):
        h = decay[:, t] * h + x[:, t]
        done.append(h)
    return torch.stack(done, 1)


def _doubling_recurrence(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    decay, step = torch.sigmoid(a), 1
    while step < x.shape[1]:
        x = torch.cat([x[:, :step], x[:, step:] + decay[:, step:] * x[:, :-step]], 1)
        decay = torch.cat([decay[:, :step], decay[:, step:] * decay[:, :-step]], 1)
        step *= 2
    return x


def _forgetful(x: torch.Tensor, a: torch.Tensor, window: int = 16) -> torch.Tensor:
    """The recurrence over the last ``window`` steps only."""
    decay, step = torch.sigmoid(a), 1
    while step < window:
        x = torch.cat([x[:, :step], x[:, step:] + decay[:, step:] * x[:, :-step]], 1)
        decay = torch.cat([torch.zeros_like(decay[:, :step]), decay[:, step:] * decay[:, :-step]], 1)
        step *= 2
    return x


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, product: Way = torch.matmul, exp: Function = torch.exp
):
    scores = product(q, k.mT) / math.sqrt(q.shape[-1])
    return product(softmax(scores.flatten(0, -2), exp).reshape(scores.shape), v)


def flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, width: int = 32, carry: Way = lambda s: s) -> torch.Tensor:
    """Blocks of keys with a running maximum, sum and output (Dao et al. 2022, arXiv:2205.14135)."""
    scale = 1 / math.sqrt(q.shape[-1])
    top = torch.full_like(q[..., :1], -math.inf)
    total, out = torch.zeros_like(top), torch.zeros_like(q[..., :1]) * v[..., :1, :]
    for keys, vals in zip(k.split(width, -2), v.split(width, -2), strict=True):
        scores = q @ keys.mT * scale
        higher = torch.maximum(top, scores.amax(-1, keepdim=True))
        e, old = torch.exp(scores - higher), torch.exp(top - higher)
        total, out, top = carry(total * old + e.sum(-1, keepdim=True)), carry(out * old + e @ vals), higher
    return out / total


def _causal(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, exp: Function = torch.exp, mask: float = -math.inf
) -> torch.Tensor:
    n = q.shape[-2]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), mask)
    return softmax(scores.flatten(0, -2), exp).reshape(scores.shape) @ v


def _window(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    n = q.shape[-2]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    far = torch.ones(n, n, dtype=torch.bool).triu(1) | torch.ones(n, n, dtype=torch.bool).tril(-(n // 2))
    return torch.softmax(scores.masked_fill(far, -math.inf), -1) @ v


def _heads(b: int, n: int, d: int, g: Way) -> Tensors:
    return g(b, n, d), g(b, n, d), g(b, n, d)


def _sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def _linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return (F.elu(q) + 1) @ ((F.elu(k) + 1).mT @ v)


def gru(tanh: Function = torch.tanh, sigmoid: Function = torch.sigmoid, product: Way = torch.matmul) -> Way:
    """One step of a gated recurrent unit, gates in PyTorch's order (reset, update, new)."""

    def run(x: torch.Tensor, h: torch.Tensor, wi: torch.Tensor, wh: torch.Tensor) -> torch.Tensor:
        ir, iz, inew = product(x, wi.mT).chunk(3, 1)
        hr, hz, hnew = product(h, wh.mT).chunk(3, 1)
        new = tanh(inew + sigmoid(ir + hr) * hnew)
        z = sigmoid(iz + hz)
        return new + z * (h - new)

    return run


def lstm(tanh: Function = torch.tanh, sigmoid: Function = torch.sigmoid, product: Way = torch.matmul) -> Way:
    """A layer of long short-term memory over all steps; returns every hidden state."""

    def run(x: torch.Tensor, wi: torch.Tensor, wh: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(x.shape[0], wh.shape[1], dtype=x.dtype)
        c, done = torch.zeros_like(h), []
        for t in range(x.shape[1]):
            i, f, n, o = (product(x[:, t], wi.mT) + product(h, wh.mT)).chunk(4, 1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(n)
            h = sigmoid(o) * tanh(c)
            done.append(h)
        return torch.stack(done, 1)

    return run


def _torch_gru(x: torch.Tensor, h: torch.Tensor, wi: torch.Tensor, wh: torch.Tensor) -> torch.Tensor:
    return torch.gru_cell(x, h, wi, wh)


def _torch_lstm(x: torch.Tensor, wi: torch.Tensor, wh: torch.Tensor) -> torch.Tensor:
    zero = torch.zeros(1, x.shape[0], wh.shape[1], dtype=x.dtype)
    return torch.lstm(x, (zero, zero), (wi, wh), False, 1, 0.0, False, False, True)[0]


def _cell_ways(cell: Way) -> dict[str, tuple[float, Way]]:
    return {
        "rational tanh": (relative_error(rational_tanh, torch.tanh, -12, 12), cell(rational_tanh)),
        "Schraudolph sigmoid": (
            relative_error(sigmoid_by_exp(schraudolph_exp), torch.sigmoid, -12, 12),
            cell(torch.tanh, sigmoid_by_exp(schraudolph_exp)),
        ),
    }


TF32X3 = split_product(torch.matmul, 2, tf32)
BF16_WEIGHTED = {
    "bfloat16 weights of the values": lambda q, k, v: bf16(torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1)) @ v
}

SEQUENCES = (
    Operator(
        "cumulative sum",
        "scan",
        ROWS,
        rows,
        lambda x: x.cumsum(1),
        honest={"blocks and carries": blocked_scan, "doubling": doubling_scan},
        structure={
            "carries of the last 4 blocks only": lambda x: (
                torch.cat([x.cumsum(1)[:, :256], x.cumsum(1)[:, 256:] - x.cumsum(1)[:, :-256]], 1)
                if x.shape[1] > 256
                else x.cumsum(1) - x[:, :1]
            ),
            "exclusive": lambda x: x.cumsum(1) - x,
        },
        accumulators={
            "bfloat16 carry": lambda x: blocked_scan(x, to=bf16),
            "float16 carry": lambda x: blocked_scan(x, to=fp16),
        },
    ),
    Operator(
        "cumulative product",
        "scan",
        ((64, 64), (16, 300)),
        lambda m, n, g: (1 + 0.05 * g(m, n),),
        lambda x: x.cumprod(1),
        honest={
            "of blocks": lambda x: torch.cat(
                [p.cumprod(1) * x[:, : 32 * i].prod(1, keepdim=True) for i, p in enumerate(x.split(32, 1))], 1
            )
        },
        structure={"first factor left out": lambda x: x.cumprod(1) / x[:, :1]},
        approximations={
            "exp of a sum of logarithms, cubic exp": (
                1e-4,
                lambda x: FAST_EXP["cubic exp"](x.abs().log().cumsum(1)) * x.sign().cumprod(1),
            )
        },
    ),
    Operator(
        "gated linear recurrence",
        "scan",
        ((8, 200, 16), (4, 700, 8)),
        lambda b, n, d, g: (g(b, n, d), 2 + g(b, n, d)),
        recurrence,
        honest={"doubling": _doubling_recurrence},
        unfused={"doubling, step by step": _doubling_recurrence},
        structure={"last 16 steps only": _forgetful},
        approximations={
            "Schraudolph sigmoid": (
                3e-2,
                lambda x, a: recurrence(x, torch.logit(sigmoid_by_exp(schraudolph_exp)(a).clamp(1e-6, 1 - 1e-6))),
            )
        },
    ),
    Operator(
        "attention",
        "attention",
        ((4, 64, 32), (2, 300, 16)),
        _heads,
        _sdpa,
        honest={
            "written out": attention,
            "blocks of keys": flash,
            "tf32x3": lambda q, k, v: attention(q, k, v, TF32X3),
            "split-K": lambda q, k, v: attention(q, k, v, split_k(torch.matmul, 4)),
            "polynomial exp": lambda q, k, v: attention(q, k, v, exp=EXP6),
        },
        unfused={"step by step": attention, "blocks of keys, step by step": flash},
        structure={
            "last key left out": lambda q, k, v: _sdpa(q, k[:, :-1], v[:, :-1]),
            "weights below 1e-4 cut off": lambda q, k, v: (
                F.threshold(torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1), 1e-4, 0.0) @ v
            ),
        },
        accumulators={
            "bfloat16 carries": lambda q, k, v: flash(q, k, v, carry=bf16),
            "float16 carries": lambda q, k, v: flash(q, k, v, carry=fp16),
        },
        approximations={
            n: (relative_error(e, torch.exp, -12, 0), lambda q, k, v, e=e: attention(q, k, v, exp=e))
            for n, e in FAST_EXP.items()
        }
        | {n: (2.0**-8, way) for n, way in BF16_WEIGHTED.items()},
    ),
    Operator(
        "causal attention",
        "attention",
        ((4, 64, 32), (2, 200, 16)),
        _heads,
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        honest={"masked scores": _causal, "polynomial exp": lambda q, k, v: _causal(q, k, v, EXP6)},
        unfused={"step by step": _causal},
        structure={
            "half of the past only": _window,
            "mask of -1e4": lambda q, k, v: _causal(q, k, v, mask=-1e4),
        },
        approximations={
            n: (relative_error(e, torch.exp, -12, 0), lambda q, k, v, e=e: _causal(q, k, v, e))
            for n, e in FAST_EXP.items()
        },
    ),
    Operator(
        "linear attention",
        "attention",
        ((4, 64, 32), (2, 500, 16)),
        _heads,
        _linear_attention,
        honest={
            "the other way round": lambda q, k, v: (F.elu(q) + 1) @ (F.elu(k) + 1).mT @ v,
            "tf32x3": lambda q, k, v: TF32X3(F.elu(q) + 1, TF32X3((F.elu(k) + 1).mT, v)),
        },
        unfused={"the other way round, step by step": lambda q, k, v: (F.elu(q) + 1) @ (F.elu(k) + 1).mT @ v},
        structure={"last key left out": lambda q, k, v: _linear_attention(q, k[:, :-1], v[:, :-1])},
        approximations={"bfloat16 state": (2.0**-8, lambda q, k, v: (F.elu(q) + 1) @ bf16((F.elu(k) + 1).mT @ v))},
    ),
    Operator(
        "GRU cell",
        "recurrent",
        ((32, 64, 48), (7, 200, 30)),
        lambda b, i, h, g: (g(b, i), g(b, h)),
        _torch_gru,
        weights=lambda b, i, h, g: (g(3 * h, i) / math.sqrt(i), g(3 * h, h) / math.sqrt(h)),
        honest={
            "written out": gru(),
            "tf32x3": gru(product=TF32X3),
            "from exp": gru(sigmoid=sigmoid_by_exp(torch.exp)),
        },
        unfused={"step by step": gru()},
        structure={"update gate at one half": lambda x, h, wi, wh: 0.5 * (h + torch.gru_cell(x, h, wi, wh))},
        approximations=_cell_ways(gru),
    ),
    Operator(
        "LSTM",
        "recurrent",
        ((16, 20, 24, 32), (4, 60, 40, 16)),
        lambda b, t, i, h, g: (g(b, t, i),),
        _torch_lstm,
        weights=lambda b, t, i, h, g: (g(4 * h, i) / math.sqrt(i), g(4 * h, h) / math.sqrt(h)),
        honest={"written out": lstm(), "tf32x3": lstm(product=TF32X3)},
        unfused={"step by step": lstm()},
        structure={
            "memory cut every 16 steps": lambda x, wi, wh: torch.cat([lstm()(p, wi, wh) for p in x.split(16, 1)], 1)
        },
        approximations=_cell_ways(lstm),
    ),
)
