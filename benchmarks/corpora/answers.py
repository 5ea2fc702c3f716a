"""Whether a kernel's answer is the right one: tolerances by dtype, and why they are what they are.

``|got - want| <= tolerance * (|want| + typical)``, where ``want`` is computed in float64 from the same inputs and
``typical`` is the root mean square of it, because sums that cancel lose digits that their size does not show.

- float32, 1e-5 (84 units in the last place): sums of up to a few thousand products in another order, each rounded
  once, and functions of the math library within a few units.
- float16, 1e-3, and bfloat16, 8e-3 (one unit in the last place): these kernels read exact inputs, compute in float and
  round the result once, half a unit; the other half for what the sum lost.
- whole numbers and bools: exact.

A case may ask for a multiple (``factor``) where a kernel does more in the narrow type; it says so.
"""

from dataclasses import dataclass
from typing import Any

import torch

TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3, torch.complex64: 1e-5}


@dataclass(frozen=True)
class Answer:
    """What a kernel wrote, and what it should have written."""

    got: torch.Tensor
    want: Any
    """A tensor or array of the same number of elements; float64 where ``got`` is a floating-point type."""
    factor: float = 1.0

    def error(self) -> float:
        """The largest error in units of what is allowed: at most 1 where the answer is right."""
        got = self.got.detach().flatten()
        want = torch.as_tensor(self.want).flatten()
        if got.numel() != want.numel():
            raise ValueError(f"a kernel's answer has {got.numel()} elements, the expected one {want.numel()}")
        tolerance = TOLERANCE.get(got.dtype)
        if tolerance is None:
            return 0.0 if torch.equal(got.to(torch.int64), want.to(torch.int64)) else float("inf")
        wide = torch.complex128 if got.is_complex() else torch.float64
        got, want = got.to(wide), want.to(wide)
        same = (got == want) | (got.isnan() & want.isnan())
        if not self.got.is_complex():
            beyond = want.abs() > torch.finfo(self.got.dtype).max  # rounds to an infinity
            same |= beyond & got.isinf() & (got.sign() == want.sign())
            want = torch.where(beyond, torch.inf, want)
        finite = want.isfinite()
        if not torch.all(same | (finite & got.isfinite())):
            return float("inf")
        typical = want[finite].abs().square().mean().sqrt() if finite.any() else torch.tensor(0.0)
        allowed = tolerance * self.factor * (want.abs() + typical)
        errors = torch.where(same, 0.0, (got - want).abs() / allowed)
        return float(errors.max()) if errors.numel() else 0.0
