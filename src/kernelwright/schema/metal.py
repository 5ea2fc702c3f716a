"""What a Metal candidate did on a machine without an Apple GPU: counted work in the place of measured time."""

from typing import Literal

from kernelwright.schema.base import Record


class MetalBuffer(Record):
    """Traffic of one buffer of a kernel, every access counted."""

    index: int
    name: str
    space: str
    """``device`` or ``constant``."""
    read_bytes: int
    written_bytes: int
    distinct_read_bytes: int
    """Bytes of the buffer that were read at all."""
    distinct_written_bytes: int


class MetalAccess(Record):
    """One line of a kernel that touches memory, in the model of a SIMD-group of 32 threads at a time."""

    line: int
    """Of the Metal source."""
    space: str
    """``device``, ``constant`` or ``threadgroup``."""
    write: bool
    name: str
    """Of the buffer or the threadgroup variable."""
    accesses: int
    """By threads."""
    bytes: int
    transactions: int
    """Memory segments touched (device, constant), or turns of the busiest bank (threadgroup)."""
    ideal_transactions: int
    """The fewest that this many bytes could take."""


class MetalKernel(Record):
    """All launches of one kernel over one grid in one call of the module. Counts are those of all its launches."""

    name: str
    grid: tuple[int, int, int]
    """Threads."""
    group: tuple[int, int, int]
    """Threads in a threadgroup."""
    launches: int
    launches_watched: int
    threadgroups: int
    """Of the launches that were watched."""
    threadgroups_watched: int
    """Of these, under the checks and counters; counts are scaled up from them."""
    threadgroup_memory: int
    """Bytes in one threadgroup."""
    resident_threadgroups: int
    """How many of its threadgroups one GPU core can hold at a time, by threadgroup memory and threads: a model."""
    buffers: tuple[MetalBuffer, ...]
    threadgroup_read_bytes: int
    threadgroup_written_bytes: int
    barriers: int
    simd_operations: int
    atomics: int
    flops: int
    accesses: tuple[MetalAccess, ...]


class ModelledTime(Record):
    """A roofline estimate for a named Apple GPU. Nobody measured it."""

    gpu: str
    ms: float
    bound: Literal["bandwidth", "arithmetic"]


class MetalWork(Record):
    """Counted work of one call of the module; counted in the candidate's own process."""

    note: str
    """``checked on the Metal runtime (CPU), not timed``."""
    kernels: tuple[MetalKernel, ...]
    device_bytes: int
    """Read from and written to buffers in device memory, every access counted."""
    distinct_device_bytes: int
    """Each byte of a buffer once if a launch reads it, and once if it writes it: what moves in any case."""
    flops: int
    arithmetic_intensity: float | None
    """FLOPs for each byte of device memory; ``None`` where no byte was counted."""
    modelled: tuple[ModelledTime, ...]
