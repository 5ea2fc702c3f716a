"""What rules look at: the figures of a profile, a verdict and a device, put into relation once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kernelwright.judge.profiling.operations import OUTSIDE, milliseconds, short_name
from kernelwright.schema import DeviceFacts, MetalKernel, MetalWork, Operation, Profile, Verdict

_MATRIX_WORDS = ("mm", "conv", "linear", "matmul", "einsum", "attention", "dot", "gemm", "cutlass", "wgmma")
WARP = 32


@dataclass(frozen=True)
class Reading:
    """Times in milliseconds for one call. Shares lie in 0..1."""

    profile: Profile
    verdict: Verdict
    facts: DeviceFacts

    @property
    def metal(self) -> MetalWork | None:
        """Counted work, where nothing was timed."""
        return self.profile.metal

    @property
    def wall_ms(self) -> float:
        """0 where nothing was timed."""
        return self.profile.wall_ms or 0.0

    @property
    def device_ms(self) -> float:
        return min(self.profile.device_ms or 0.0, self.wall_ms)

    # --- the roofline -------------------------------------------------------------------------------------------------

    @property
    def memory_ms(self) -> float:
        """The least time that moving the bytes takes."""
        found = self.profile.roofline
        return 1e3 * found.bytes_moved / found.bandwidth if found and found.bandwidth > 0 else 0.0

    @property
    def compute_ms(self) -> float:
        """The least time that the FLOPs take."""
        found = self.profile.roofline
        return 1e3 * found.flops / found.flop_rate if found and found.flop_rate > 0 else 0.0

    @property
    def bound_ms(self) -> float:
        return max(self.memory_ms, self.compute_ms)

    @property
    def memory_bound(self) -> bool:
        return self.memory_ms >= self.compute_ms

    @property
    def over_bound(self) -> float:
        """Time over the bound; 0 where either is not known."""
        return self.wall_ms / self.bound_ms if self.bound_ms > 0 else 0.0

    # --- operations ---------------------------------------------------------------------------------------------------

    @cached_property
    def kernels(self) -> tuple[Operation, ...]:
        """On the device's own time line."""
        return tuple(op for op in self.profile.operations if op.device_ms is not None)

    @cached_property
    def work(self) -> tuple[Operation, ...]:
        """What the time should go into: the device's kernels, or the host's operators where there are none."""
        found = self.kernels or tuple(op for op in self.profile.operations if op.name != OUTSIDE)
        return tuple(sorted(found, key=milliseconds, reverse=True))

    def share(self, operation: Operation) -> float:
        """Of the time of its own time line, that of Python included on the host."""
        line = self.kernels if operation.device_ms is not None else self.profile.operations
        whole = sum(milliseconds(op) for op in line if (op.device_ms is None) == (operation.device_ms is None))
        return milliseconds(operation) / whole if whole > 0 else 0.0

    @cached_property
    def worst(self) -> Operation | None:
        """The operation that takes the most time."""
        return next((op for op in self.work if milliseconds(op) > 0), None)

    @property
    def outside_share(self) -> float:
        """Share of the host's time in which no operator ran."""
        return sum(self.share(op) for op in self.profile.operations if op.name == OUTSIDE)

    @property
    def surely_outside_share(self) -> float:
        """As much of that as remains if all that the profiler slowed down was Python; without its figure all of it."""
        outside = sum(milliseconds(op) for op in self.profile.operations if op.name == OUTSIDE)
        slower = max(0.0, (self.counter("watched_ms") or 0.0) - self.wall_ms)
        if slower <= 0:
            return self.outside_share
        return min(1.0, max(0.0, outside - slower) / self.wall_ms) if self.wall_ms > 0 else 0.0

    def large(self, least: float = 0.05) -> Sequence[Operation]:
        """Operations with at least that share, longest first."""
        return [op for op in self.work if self.share(op) >= least]

    def counter(self, name: str) -> float | None:
        """A counter of the profile that is a number."""
        value = self.profile.counters.get(name)
        return value if value is not None and math.isfinite(value) else None


def multiplies(operation: Operation) -> bool:
    """Whether its name is that of a matrix product, a convolution or an attention: what FLOPs are counted for."""
    return any(word in operation.name.lower() for word in _MATRIX_WORDS)


def threads(kernel: MetalKernel) -> int:
    """In one threadgroup."""
    return math.prod(kernel.group)


def base(operation: Operation) -> str:
    """Its name as people write it."""
    return short_name(operation.name)[:60]
