"""As accurate as PyTorch itself: one output tensor against its yardstick.

The yardstick is the reference computed in float64. Candidate and eager PyTorch both have an error against it, and so
has the float64 reference on inputs moved by one rounding unit: the *conditioned* output, whose error no program that
works in the given precision can be blamed for. Under ``strict`` a floating-point output r with n elements passes when
all of these hold (``eps`` of the output's dtype, ``rms`` = root mean square of r, K, k and c below, ``s`` = 1 + 1/√n,
because the error of a few elements is a matter of luck and that of many is not):

====== =============================================== =============================================================
rule   measure of a tensor x                           bound on the candidate's
====== =============================================== =============================================================
norm   ‖x − r‖ / ‖r‖                                   s · max(K · eager's, K · c · conditioned's, k · eps)
worst  max |x − r| / max(|r|, rms)                     max(Kʷ · eager's, Kʷ · c · conditioned's, kʷ · eps)
small  mean (|x − r| − noise)⁺ / max(|r|, rms / 1024)  max(s · K · eager's, s · K · c · conditioned's, 2 · norm's bound)
lost   how many have |x − r| > |r| / 32 + noise        4 · max(eager's, conditioned's) + 8 + n / 1024
====== =============================================== =============================================================

*norm* stops lower precision: rounding inputs to bfloat16 costs 2e-3, to tf32 3e-4, against eager's 1e-7 to 1e-6.
*worst* stops single wrong elements. *small* and *lost* stop candidates that are right only where the output is large
(zeros below a threshold, clamped tails): they look at relative errors, down to a ``noise`` of twice what *norm*
allows, times rms. Every measure is free of scale and of order. The floor ``k · eps`` shrinks to half of the output's
standard deviation where that is smaller, so that the mean of a nearly constant output does not pass for it. Elements
that come within 1/32 of the largest number of the dtype are left to the rule on values that are not finite: who rounds
another way may reach infinity there.

Not caught: wrong values below the noise (2e-6 of rms in float32, about 1e-2 in bfloat16); fewer than n / 1024 wrong
elements that are all smaller than about 1e-4 of rms; rounding of inputs that an average over some 1e5 elements of one
sign takes away again (the result then *is* accurate; draws with mixed signs show it); in 16 bits, what changes the
result by less than its own rounding.

The constants stand between honest variation and downgrades. ``benchmarks/accuracy_threshold.py`` computes sixty
operators in honest and dishonest ways; ``docs/accuracy.md`` has its counts for every multiple of these constants, and
names what the rule gets wrong. Serial accumulators over thousands of terms sit at the bound: PyTorch's own sums are up
to 30 times as accurate.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from kernelwright.schema import Precision

NOTHING_IN_COMMON = 1e30
"""Errors are reported up to here, so that a verdict stays plain JSON: infinities and errors relative to zero."""
_SMALL = 2.0**-10
_CPU_CHUNK, _DEVICE_CHUNK = 1 << 16, 1 << 24
_GIMLET_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Constants:
    """K, k, Kʷ and kʷ of the rule for one family of dtypes, and c: how much the conditioned output counts."""

    multiple: float
    floor: float
    worst_multiple: float
    worst_floor: float
    condition: float = 1.0


_WIDE = Constants(multiple=8, floor=8, worst_multiple=32, worst_floor=16)
# A 16-bit output is rounded once at the end of an op that works in float32: less room, so that 8-bit formats fail.
# Its inputs are exact, so moving them weighs less; it must not excuse a result in bfloat16 where float16 is asked for.
_HALF = Constants(multiple=4, floor=0.5, worst_multiple=8, worst_floor=2, condition=1 / 3)
# Here the yardstick has the same rounding errors as eager, which then seems exact.
_DOUBLE = Constants(multiple=8, floor=256, worst_multiple=32, worst_floor=4096)


def constants_for(dtype: torch.dtype) -> Constants:
    """The constants of ``strict`` for outputs of this floating-point dtype."""
    if dtype == torch.float64:
        return _DOUBLE
    return _WIDE if torch.finfo(dtype).bits == 32 else _HALF


def kernelbench_tolerance(dtype: torch.dtype) -> float:
    """KernelBench's atol = rtol: 1e-4, and 1e-2 for 16-bit outputs (its ``get_tolerance_for_precision``)."""
    return 1e-4 if torch.finfo(dtype).bits >= 32 else 1e-2


@dataclass(frozen=True)
class Mismatch:
    """Why outputs do not pass, with the element that shows it best."""

    rule: str
    """``structure``, ``shape``, ``dtype``, ``value``, ``nonfinite``, ``allclose`` or a rule of the table above."""
    draw: str
    output: str
    """Where the leaf sits in the output, ``output`` or ``output[0]['x']``."""
    error: float = 0.0
    bound: float = 0.0
    index: tuple[int, ...] = ()
    candidate: Any = None
    eager: Any = None
    float64: Any = None
    share_beyond: float = 0.0
    """Share of the elements that break the bound on single elements."""
    note: str = ""

    def __str__(self) -> str:
        head = f"{self.output} on draw {self.draw}: "
        if self.note:
            return head + self.note
        said = {
            "norm": "error norm relative to the reference in float64",
            "worst": "largest error relative to max(|value|, rms)",
            "small": "mean relative error, small values included",
            "lost": "elements with a relative error above 1/32",
            "value": "integer or bool elements that differ",
            "nonfinite": "elements that are NaN or infinite in one and not in the other",
            "allclose": "largest |difference| / (atol + rtol·|eager|), published tolerance",
        }[self.rule]
        where = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return (
            f"{head}{said} is {self.error:.3g}, allowed {self.bound:.3g}; "
            f"the largest error is at {self.output}{where}: candidate {self.candidate}, PyTorch {self.eager}, "
            f"float64 {self.float64}; "
            f"{100 * self.share_beyond:.3g} % of the elements are off"
        )


@dataclass(frozen=True)
class Errors:
    """The measures of one tensor against the yardstick (see the table above); ``peak`` is max |x − r| / rms."""

    norm: float = 0.0
    worst: float = 0.0
    small: float = 0.0
    lost: float = 0.0
    peak: float = 0.0

    @property
    def finite(self) -> bool:
        return math.isfinite(self.norm)


@dataclass(frozen=True)
class LeafComparison:
    """One leaf under every named precision; a precision that is missing from ``failures`` is met."""

    errors: Errors
    eager: Errors
    failures: dict[Precision, Mismatch]


class FloatYardstick:
    """One floating-point leaf: what candidates' tensors are held against. Eager is measured once, for all of them."""

    def __init__(
        self,
        path: str,
        eager: torch.Tensor,
        float64: torch.Tensor,
        conditioned: torch.Tensor | None,
        python: bool,
        constants: Callable[[torch.dtype], Constants] = constants_for,
    ) -> None:
        self.path = path
        self.eager = eager
        # A Python number was made from a tensor of the default precision more likely than from float64.
        self.dtype = torch.float32 if python else eager.dtype
        self._ref = _flat(float64)
        self._eager = _flat(eager)
        self._measure_reference()
        info = torch.finfo(self.dtype)
        self.eps = max(info.eps, self.unit * info.smallest_normal * info.eps / self.base)
        self.lost_at = max(1 / 32, 32 * info.eps)
        self.constants = constants(self.dtype)
        moved = None if conditioned is None else _flat(conditioned)
        self._norm_bound = self._bound_norm(moved)
        self.noise = 2 * self._norm_bound * self.base
        self.errors = self.measure(self._eager, skip=True)
        self.conditioned = Errors() if moved is None else self.measure(moved, skip=True)

    def _bound_norm(self, moved: torch.Tensor | None) -> float:
        norms = [self.measure(self._eager, skip=True).norm]
        if moved is not None:
            norms.append(self.constants.condition * self.measure(moved, skip=True).norm)
        floor = self.constants.floor * self.eps
        if self.spread > 2 * self.eps:
            floor = min(floor, max(self.spread / 2, self.eps))
        return self._slack * max(self.constants.multiple * max(norms), floor)

    def _measure_reference(self) -> None:
        """Finds ``unit`` (a power of two: squares stay in range), ``holes``, ``count``, ``base`` and ``spread``."""
        self.unit, self.holes, self.noise = 1.0, None, math.inf
        n = self._ref.numel()
        total, square = self._moments()
        # who rounds another way may reach infinity here, and is as right
        edge = torch.finfo(self.dtype).max * (1 - 1 / 32)
        over = self.dtype != torch.float64 and not square < edge * edge
        if over or not _well_scaled(square) or not math.isfinite(self._moments(self._eager)[0]):
            holes = ~(torch.isfinite(self._ref) & torch.isfinite(self._eager).to(self._ref.device))
            if over:
                holes |= self._ref.abs() > edge
            if bool(holes.any()):
                self.holes = holes
                n -= int(holes.sum())
            top = max((float(r.abs().amax()) for r, *_ in self._chunks() if r.numel()), default=0.0)
            if top > 0:
                self.unit = 2.0 ** -max(-1000, min(1000, math.frexp(top)[1]))
            total, square = self._moments()
        self.count = n
        self.rms = math.sqrt(square / n) if n else 0.0
        # Errors against an output that is zero throughout are counted in the smallest numbers of its dtype.
        smallest = torch.finfo(self.dtype).smallest_normal * torch.finfo(self.dtype).eps * self.unit
        self.base = max(self.rms, smallest)
        self.spread = math.sqrt(max(square / n - (total / n) ** 2, 0.0)) / self.base if n >= 16 else math.inf

    def _chunks(self, *tensors: torch.Tensor) -> Iterator[list[torch.Tensor]]:
        """The reference's pieces (scaled, float64, zero in the holes) and those of ``tensors`` beside them."""
        device = self._ref.device
        step = _CPU_CHUNK if device.type == "cpu" else _DEVICE_CHUNK
        for start in range(0, self._ref.numel(), step):
            part = slice(start, start + step)
            pieces = [self._ref[part].double(), *(t[part].to(device).double() for t in tensors)]
            if self.unit != 1.0:
                pieces = [piece * self.unit for piece in pieces]
            if self.holes is not None:
                pieces = [piece.masked_fill(self.holes[part], 0.0) for piece in pieces]
            yield pieces

    def _moments(self, x: torch.Tensor | None = None) -> tuple[float, float]:
        """Sum and sum of squares of a flat tensor (``None``: of the reference)."""
        pieces = (chunk[-1] for chunk in (self._chunks() if x is None else self._chunks(x)))
        sums = [torch.stack((piece.sum(), torch.dot(piece, piece))) for piece in pieces]
        if not sums:
            return 0.0, 0.0
        total, square = torch.stack(sums).sum(0).tolist()
        return total, square

    def measure(self, x: torch.Tensor, skip: bool = False) -> Errors:
        """The errors of a flat tensor; with ``skip`` its own NaN and infinities count as no error."""
        square, small, lost, worst, peak = 0.0, 0.0, 0, 0.0, 0.0
        for r, piece in self._chunks(x):
            d = torch.sub(piece, r)
            top = _largest(d)
            if skip and not math.isfinite(top):
                d.nan_to_num_(0.0, 0.0, 0.0)
                top = _largest(d)
            square += float(torch.dot(d, d))
            peak = top if math.isnan(top) else max(peak, top)
            if top <= self.noise:  # relative errors count from the noise upwards: nothing of a good candidate does
                worst = max(worst, top / self.base)
                continue
            d.abs_()
            above = d > self.noise
            far, size = d[above], r[above].abs_()
            small += float(torch.sub(far, self.noise).div_(size.clamp(min=self.base * _SMALL)).sum())
            lost += int((far > torch.mul(size, self.lost_at).add_(self.noise)).sum())
            if far.numel():
                worst = max(worst, float((far / size.clamp_(min=self.base)).amax()))
        if not self.count:
            return Errors()
        norm = math.sqrt(square / self.count) / self.base
        return Errors(norm=norm, worst=worst, small=small / self.count, lost=lost, peak=peak / self.base)

    @property
    def _slack(self) -> float:
        return 1 + 1 / math.sqrt(max(self.count, 1))

    @cached_property
    def bounds(self) -> Errors:
        """The largest errors that pass ``strict``."""
        k, e, p = self.constants, self.errors, self.conditioned
        c = k.condition
        return Errors(
            norm=self._norm_bound,
            worst=max(k.worst_multiple * max(e.worst, c * p.worst), k.worst_floor * self.eps),
            small=max(self._slack * k.multiple * max(e.small, c * p.small), 2 * self._norm_bound),
            lost=4 * max(e.lost, p.lost) + 8 + self.count / 1024,
        )

    def near(self, eager: torch.Tensor) -> "FloatYardstick | None":
        """The same demands for inputs that differ in one element, held against what eager answers to those.

        Saves the runs in float64: who keeps a bound against float64 keeps that bound plus eager's own error against
        eager. ``None`` where values that are not finite or leave the range ask for the whole yardstick.
        """
        if self.holes is not None or self.unit != 1.0:
            return None
        other = copy.copy(self)
        other.eager = eager
        other._ref = other._eager = _flat(eager)
        e, b = self.errors, self.bounds
        other.bounds = Errors(b.norm + e.norm, b.worst + e.worst, b.small + e.small, b.lost + e.lost)
        other.errors = Errors()
        return other

    def compare(self, candidate: torch.Tensor, draw: str, stress: bool) -> "LeafComparison":
        """Holds a tensor of the same shape and dtype against this yardstick under all named precisions."""
        x = _flat(candidate)
        errors = self.measure(x)
        failures: dict[Precision, Mismatch] = {}
        broken = self._nonfinite(x, errors, draw, stress)
        if broken is not None:
            failures = dict.fromkeys(Precision, broken)
            errors = Errors(
                NOTHING_IN_COMMON, NOTHING_IN_COMMON, NOTHING_IN_COMMON, float(self.count), NOTHING_IN_COMMON
            )
        else:
            for rule in ("norm", "worst", "small", "lost"):
                error, bound = getattr(errors, rule), getattr(self.bounds, rule)
                if not error <= bound:
                    failures[Precision.STRICT] = self._mismatch(rule, error, bound, x, draw)
                    break
            distance = 0.0 if stress or self._surely_close(errors) else self._distance(x)
            for precision, tolerance in (
                (Precision.KERNELBENCH, kernelbench_tolerance(self.dtype)),
                (Precision.GIMLET, _GIMLET_TOLERANCE),
            ):
                if not stress:
                    if not distance <= tolerance:
                        failures[precision] = self._mismatch("allclose", distance / tolerance, 1.0, x, draw)
                elif Precision.STRICT in failures and errors.norm > 10 * tolerance:
                    failures[precision] = self._mismatch("norm", errors.norm, 10 * tolerance, x, draw)
        return LeafComparison(errors=errors, eager=self.errors, failures=failures)

    def _nonfinite(self, x: torch.Tensor, errors: Errors, draw: str, stress: bool) -> Mismatch | None:
        """NaN and infinities: nowhere that eager and float64 are finite, and of the same kind where they are not."""
        wrong: torch.Tensor | None = None
        if not errors.finite:
            wrong = ~torch.isfinite(x).to(self._ref.device)
            if self.holes is not None:
                wrong &= ~self.holes
        elif self.holes is not None and not stress:
            at = self.holes.nonzero().flatten()
            c = x[at.to(x.device)].to(self._ref.device).double()
            e = self._eager[at.to(self._eager.device)].to(self._ref.device).double()
            r = self._ref[at].to(self.dtype).double()
            alike = (_same(c, e) | _same(c, r)) | (
                torch.isfinite(c) & ((c - self._ref[at]).abs() <= self._ref[at].abs() / 32)
            )
            wrong = torch.zeros_like(self.holes)
            wrong[at] = ~alike
        if wrong is None or not bool(wrong.any()):
            return None
        count = int(wrong.sum())
        return self._report(
            "nonfinite", x, draw, error=count, bound=0.0, at=int(wrong.int().argmax()), share=count / wrong.numel()
        )

    def _surely_close(self, errors: Errors) -> bool:
        """|c − e| ≤ |c − r| + |e − r| is so small everywhere that every published tolerance holds: most candidates."""
        apart = (errors.peak + self.errors.peak) * self.base / self.unit
        return self.holes is None and apart <= kernelbench_tolerance(self.dtype) / 2

    def _distance(self, x: torch.Tensor) -> float:
        """max |c − e| / (1 + |e|): ``torch.allclose`` with atol = rtol = t holds where this is at most t.

        As there, equal infinities are close, and NaN never is.
        """
        worst = 0.0
        step = _CPU_CHUNK if x.device.type == "cpu" else _DEVICE_CHUNK
        for start in range(0, x.numel(), step):
            c, e = x[start : start + step], self._eager[start : start + step].to(x.device)
            wide = c.dtype if c.dtype in (torch.float32, torch.float64) else torch.float32
            c, e = c.to(wide), e.to(wide)
            most = float(torch.sub(c, e).abs_().div_(e.abs().add_(1.0)).amax())
            if not math.isfinite(most):
                apart = torch.where(c == e, 0.0, torch.sub(c, e).abs_().div_(e.abs().add_(1.0)))
                most = float(apart.nan_to_num_(math.inf, math.inf, math.inf).amax())
            worst = max(worst, most)
        return worst

    def _mismatch(self, rule: str, error: float, bound: float, x: torch.Tensor, draw: str) -> Mismatch:
        """Goes over the tensors once more, to say where the largest error sits and how many are as bad."""
        best, at, beyond, start = -1.0, 0, 0, 0
        least = self.base if rule in ("norm", "worst", "allclose") else self.base * _SMALL
        limit = {"worst": bound, "lost": self.lost_at}.get(rule, self.bounds.worst)
        for r, piece in self._chunks(x):
            scaled = torch.sub(piece, r).abs_().div_(r.abs().clamp_(min=least))
            value, place = scaled.max(0)
            if float(value) > best:
                best, at = float(value), start + int(place)
            beyond += int((scaled > limit).sum())
            start += r.numel()
        return self._report(rule, x, draw, error=error, bound=bound, at=at, share=beyond / max(self.count, 1))

    def _report(
        self, rule: str, x: torch.Tensor, draw: str, *, error: float, bound: float, at: int, share: float
    ) -> Mismatch:
        return Mismatch(
            rule=rule,
            draw=draw,
            output=self.path,
            error=min(error, NOTHING_IN_COMMON),
            bound=min(bound, NOTHING_IN_COMMON),
            index=_index(at, self.eager.shape),
            candidate=x[at].item(),
            eager=self._eager[at].item(),
            float64=self._ref[at].item(),
            share_beyond=share,
        )


class ExactYardstick:
    """One integer or bool leaf: equal to eager or to float64, but for as many near ties as those two disagree on."""

    def __init__(self, path: str, eager: torch.Tensor, float64: torch.Tensor, conditioned: torch.Tensor | None) -> None:
        self.path = path
        self.eager = eager
        self._eager, self._ref = _flat(eager), _flat(float64).to(eager.device)
        ties = int((self._eager != self._ref).sum())
        self.share = ties / max(eager.numel(), 1)
        if conditioned is not None:
            ties = max(ties, int((_flat(conditioned).to(eager.device) != self._ref).sum()))
        self.allowed = min(4 * ties, eager.numel() // 4)

    def near(self, eager: torch.Tensor) -> "ExactYardstick":
        """The same demands for inputs that differ in one element, held against what eager answers to those."""
        other = copy.copy(self)
        other.eager = eager
        other._ref = other._eager = _flat(eager)
        return other

    def compare(self, candidate: torch.Tensor, draw: str, stress: bool) -> "LeafComparison":
        """Every named precision asks the same of integers; a stress draw too."""
        x = _flat(candidate).to(self._eager.device)
        wrong = (x != self._eager) & (x != self._ref)
        count = int(wrong.sum())
        failures: dict[Precision, Mismatch] = {}
        if count > self.allowed:
            at = int(wrong.int().argmax())
            failure = Mismatch(
                rule="value",
                draw=draw,
                output=self.path,
                error=count,
                bound=self.allowed,
                index=_index(at, self.eager.shape),
                candidate=x[at].item(),
                eager=self._eager[at].item(),
                float64=self._ref[at].item(),
                share_beyond=count / x.numel(),
            )
            failures = dict.fromkeys(Precision, failure)
        share = count / max(x.numel(), 1)
        return LeafComparison(Errors(norm=share, peak=share), Errors(norm=self.share, peak=self.share), failures)


def _flat(x: torch.Tensor) -> torch.Tensor:
    return x.detach().reshape(-1)


def _largest(x: torch.Tensor) -> float:
    """max |x|; NaN where there is one."""
    if not x.numel():
        return 0.0
    low, high = torch.aminmax(x)
    return max(float(high), -float(low))


def _well_scaled(square: float) -> bool:
    return 1e-280 < square < 1e280


def _same(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a == b) | (torch.isnan(a) & torch.isnan(b))


def _index(flat: int, shape: torch.Size) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        flat, rest = divmod(flat, size)
        index.append(rest)
    return tuple(reversed(index))
