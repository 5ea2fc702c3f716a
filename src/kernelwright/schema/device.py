"""Facts about a device, as measured or as its driver tells them."""

from kernelwright.schema.base import Record


class DeviceLimits(Record):
    """What this device was measured to do at best. Bandwidths in bytes/s, rates in FLOP/s."""

    bandwidth: float
    """Large streaming reads from main (or device) memory, bytes/s, one read counted once."""
    peak_bandwidth: float
    """The fastest reads seen at any working-set size (caches included), bytes/s."""
    matmul_flops: dict[str, float]
    """Dense matrix product, FLOP/s by dtype name (``float32``, ``bfloat16``, ``float16``)."""
    launch_seconds: float
    """One empty operation through PyTorch, seconds."""
    measured_on: str = ""
    """ISO date of the measurement."""


class DeviceFacts(Record):
    """One device of this machine."""

    platform: str
    """``cpu``, ``cuda`` or ``mps``."""
    name: str
    memory_bytes: int
    cores: int
    """CPU cores this process may use, streaming multiprocessors, or GPU cores; 0 where unknown."""
    cache_bytes: int
    """Last-level cache: L3 of the CPU, L2 of the GPU; 0 where unknown."""
    details: dict[str, str] = {}
