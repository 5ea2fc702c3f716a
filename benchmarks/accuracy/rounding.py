"""Lower precision and fast approximations, emulated in float32 on a CPU.

What is rounded is rounded as the hardware does it: to nearest, by the bits. Errors of the approximations are measured
(:func:`relative_error`), not quoted.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

Function = Callable[[torch.Tensor], torch.Tensor]


def tf32(x: torch.Tensor) -> torch.Tensor:
    """Ten bits of mantissa, as tensor cores read float32 operands; infinities and NaN stay."""
    x = x.float().contiguous()
    rounded = ((x.view(torch.int32) + (1 << 12)) & ~((1 << 13) - 1)).view(torch.float32)
    return torch.where(torch.isfinite(x), rounded, x)


def bf16(x: torch.Tensor) -> torch.Tensor:
    return x.bfloat16().float()


def fp16(x: torch.Tensor) -> torch.Tensor:
    return x.half().float()


def fp8(x: torch.Tensor) -> torch.Tensor:
    """float8_e4m3fn under one scale for the whole tensor, a power of two, as quantising kernels do it."""
    top = torch.exp2(torch.ceil(torch.log2(x.abs().amax().clamp(min=1e-30) / 448)))
    return (x / top).to(torch.float8_e4m3fn).float() * top


FORMATS: dict[str, tuple[Function, float]] = {
    "tf32": (tf32, 2.0**-11),
    "float16": (fp16, 2.0**-11),
    "bfloat16": (bf16, 2.0**-8),
    "float8": (fp8, 2.0**-4),
}
"""Rounding, and its largest relative error."""


def parts(x: torch.Tensor, number: int, to: Function) -> list[torch.Tensor]:
    """``x`` as a sum of ``number`` values of a lower format: what is left over goes to the next."""
    found: list[torch.Tensor] = []
    for _ in range(number):
        found.append(to(x))
        x = x - found[-1]
    return found


def split_product(product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], number: int, to: Function):
    """A bilinear operator from products of low-precision parts, the small ones first: tf32x3, bf16x9 and bf16x6.

    Of ``number`` parts on each side, products whose positions add up to ``number`` or more are left out.
    """

    def run(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        left, right = parts(a, number, to), parts(b, number, to)
        pairs = [(i, j) for i in range(number) for j in range(number) if i + j < number]
        total: torch.Tensor | None = None
        for i, j in sorted(pairs, key=sum, reverse=True):
            one = product(left[i], right[j])
            total = one if total is None else total + one
        assert total is not None
        return total

    return run


def relative_error(approximation: Function, exact: Function, low: float, high: float) -> float:
    """The largest relative error of an approximation over [low, high], in float64 where it has no bits in it."""
    x = torch.linspace(low, high, 40001, dtype=torch.float64)
    wanted = exact(x)
    off = (approximation(x).double() - wanted).abs() / wanted.abs().clamp(min=1e-30)
    return float(off[wanted != 0].max())


def rational_tanh(x: torch.Tensor) -> torch.Tensor:
    """x(27 + x²)/(27 + 9x²), clamped: the textbook Padé approximation."""
    y = x.clamp(-3, 3)
    return y * (27 + y * y) / (27 + 9 * y * y)


def schraudolph_exp(x: torch.Tensor) -> torch.Tensor:
    """e^x by writing into the exponent bits (Schraudolph 1999, "A fast, compact approximation of the exponential")."""
    bits = (x.clamp(-87, 88) * (2**23 / 0.6931471805599453) + (127 * 2**23 - 366_000)).to(torch.int32)
    return bits.view(torch.float32)


def _power_of_two(degree: int) -> Sequence[float]:
    fitted = np.polynomial.chebyshev.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5])
    return fitted.convert(kind=np.polynomial.Polynomial).coef.tolist()


def polynomial_exp(degree: int) -> Function:
    """e^x as 2^k · p(t), t in [-1/2, 1/2]: what kernels write that keep off the special-function unit."""
    coefficients = _power_of_two(degree)

    def run(x: torch.Tensor) -> torch.Tensor:
        x = x.clamp(-103, 88.7)
        k = (x * 1.4426950408889634).round()
        t = (x - k * 0.693145751953125) - k * 1.42860677e-06  # ln 2 in two parts, the first one of few bits
        t = t * 1.4426950408889634
        p = torch.full_like(t, coefficients[-1])
        for c in reversed(coefficients[:-1]):
            p = p * t + c
        return torch.ldexp(p, k.to(torch.int32))

    return run


def tanh_by_exp(exp: Function) -> Function:
    return lambda x: 1 - 2 / (exp(2 * x.clamp(-20, 20)) + 1)


def sigmoid_by_exp(exp: Function) -> Function:
    return lambda x: 1 / (1 + exp(-x))


def magic_rsqrt(steps: int) -> Function:
    """1/√x from the bits of x (0x5f3759df), then ``steps`` of Newton."""

    def run(x: torch.Tensor) -> torch.Tensor:
        x = x.float().contiguous()
        y = (0x5F3759DF - (x.view(torch.int32) >> 1)).view(torch.float32)
        for _ in range(steps):
            y = y * (1.5 - 0.5 * x * y * y)
        return y

    return run


def tanh_gelu(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(x, approximate="tanh")


def sigmoid_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


def running_sum(x: torch.Tensor, dim: int, to: Function, lanes: int = 8) -> torch.Tensor:
    """Sum along ``dim`` with ``lanes`` accumulators that are rounded by ``to`` after every addition."""
    x = x.movedim(dim, -1)
    short = -x.shape[-1] % lanes
    x = torch.nn.functional.pad(x, (0, short)).unflatten(-1, (-1, lanes))
    total = torch.zeros_like(x[..., 0, :])
    for k in range(x.shape[-2]):
        total = to(total + x[..., k, :])
    while total.shape[-1] > 1:
        total = to(total[..., ::2] + total[..., 1::2])
    return total[..., 0]


def plain(x: torch.Tensor) -> torch.Tensor:
    """No rounding beyond float32's own."""
    return x


def kahan_sum(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Compensated summation in float32."""
    x = x.movedim(dim, 0)
    total, lost = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    for piece in x:
        y = piece - lost
        new = total + y
        lost = (new - total) - y
        total = new
    return total
