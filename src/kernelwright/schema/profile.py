"""Profiles and what an analyst reads out of them."""

from enum import StrEnum

from pydantic import Field

from kernelwright.schema.base import Record
from kernelwright.schema.exchange import Picture
from kernelwright.schema.metal import MetalWork


class Operation(Record):
    """One kernel or operator over the profiled calls. Times in milliseconds for one call of the module."""

    name: str
    launches: float
    """For one call of the module."""
    device_ms: float | None = None
    host_ms: float | None = None
    bytes_moved: int | None = None
    flops: int | None = None
    occupancy: float | None = None
    """Resident SIMD-groups or warps over the most possible, 0..1."""
    registers: int | None = None
    shared_bytes: int | None = None
    """Threadgroup (shared) memory of one threadgroup (block)."""


class Roofline(Record):
    """Where the module stands under the roofline of its device. Rates in bytes and FLOPs a second."""

    flops: int
    bytes_moved: int
    bandwidth: float
    flop_rate: float
    time_ms: float | None = None
    """Measured; ``None`` where nothing was timed."""


class Profile(Record):
    """What one profiler saw of one candidate."""

    tool: str
    """``torch.profiler``, ``ncu``, ``perf``, ``metal-runtime`` or ``metal-capture``."""
    platform: str
    device: str = ""
    wall_ms: float | None = None
    """One call of the module, synchronised."""
    device_ms: float | None = None
    """Of it, time in which the device worked."""
    operations: tuple[Operation, ...] = ()
    """Longest first."""
    counters: dict[str, float] = {}
    roofline: Roofline | None = None
    metal: MetalWork | None = None
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be measured, and why."""


class Bottleneck(StrEnum):
    MEMORY = "memory"
    COMPUTE = "compute"
    LAUNCHES = "launches"
    HOST = "host"
    OCCUPANCY = "occupancy"
    COALESCING = "coalescing"
    BANK_CONFLICTS = "bank_conflicts"
    SYNCHRONISATION = "synchronisation"
    DIVERGENCE = "divergence"
    AT_THE_LIMIT = "at_the_limit"
    UNKNOWN = "unknown"


class Recommendation(Record):
    """Exactly one change for the next attempt, with a prediction that is scored afterwards."""

    bottleneck: Bottleneck
    change: str
    expected_gain: float = Field(ge=1.0, le=1000.0)
    """The base's time over the next attempt's, if the change works."""
    confidence: float = Field(ge=0.0, le=1.0)
    """Probability that the next attempt is faster beyond noise."""
    evidence: str = ""
    """The figures that it rests on."""


class Advice(Record):
    """What an analyst made of one attempt. Stored under that attempt's number, so that it is asked once."""

    about: int
    analyst: str
    """``rules`` or ``PROVIDER:MODEL``."""
    profile: Profile | None = None
    recommendation: Recommendation | None = None
    failure: str = ""
    """One line, where there is no recommendation."""
    exchanges: tuple[str, ...] = ()
    """Keys of the exchanges that it took."""
