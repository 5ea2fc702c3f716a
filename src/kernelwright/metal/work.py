"""What a kernel does, counted on the CPU runtime: the records. Imports no torch.

Counts are exact for what ran. Three things are models of a GPU, not measurements of one:

- *Memory segments.* The lanes of a SIMD-group that execute the same access together touch ``transactions`` segments of
  128 bytes, counted from the start of the buffer. 128 bytes is the cache line of Apple GPUs of families 7 and 8
  (Philip Turner, metal-benchmarks, README, "On-Chip Memory": Global Cache Line).
- *Banks.* Threadgroup memory is taken to have 32 banks of 4 bytes, which serve one word each in a cycle. Apple
  publishes no figure and metal-benchmarks leaves it open; 32 banks of 4 bytes is what it lists for the GPUs of AMD and
  NVIDIA.
- *Vectors.* Neighbouring bytes, 16 at most, that a thread accesses for one expression of the source (one line and
  column) by one instruction after the other are one access, as of a ``float4``.

Lanes run one after the other: what one lane does the n-th time at a place of the program is matched with what the
others do the n-th time there. For each place and SIMD-group at most 32 such instructions, evenly spread, are looked at;
their transactions are scaled to all accesses. Of more than 4096 places of a program the rest is not in ``accesses``.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from kernelwright.metal.launch import Triple
from kernelwright.metal.reports import Report

Space = Literal["device", "threadgroup", "constant"]

SEGMENT_BYTES = 128
"""Of device and constant memory; see above."""
BANKS = 32
"""Of threadgroup memory, 4 bytes wide; see above."""
THREADGROUP_BYTES = 32 << 10
"""Threadgroup memory that every Apple GPU has: Apple, Metal Feature Set Tables, "Maximum total threadgroup memory
allocation". Families 7 and 8 have about 60 KB in a core (metal-benchmarks, "On-Chip Memory": Shared Memory)."""
CORE_THREADS = 3072
"""Threads that a core of family 7 or 8 holds if they use few registers; down to 384 with many (metal-benchmarks,
"On-Chip Memory": Max Threads)."""


@dataclass(frozen=True)
class BufferWork:
    """What happened to one buffer in the whole dispatch."""

    index: int
    name: str
    """In the source; empty for a tensor behind a list of addresses."""
    read_bytes: int
    """Every access counted; atomic updates read and write."""
    written_bytes: int
    distinct_read_bytes: int = 0
    """Bytes of the buffer that were read at all."""
    distinct_written_bytes: int = 0
    space: Space = "device"


@dataclass(frozen=True)
class AccessWork:
    """One access in the source: a line, and what it reads or writes there."""

    line: int
    """Counted from 1; 0: not known."""
    space: Space
    write: bool
    """Also of atomic updates, which are one access here."""
    buffer: int | None
    """Its index; ``None``: threadgroup memory."""
    name: str
    """Of the buffer's argument or the threadgroup variable."""
    accesses: int
    """By all threads; a vector is one access."""
    bytes: int
    """Asked for by all threads."""
    transactions: int
    """Summed over the instructions of SIMD-groups: memory segments touched, in threadgroup memory bank cycles. Atomics
    on the same word are not taken to wait for each other."""
    ideal_transactions: int
    """The fewest that the distinct bytes of each instruction fit in; in threadgroup memory 1 if each lane asks for a
    word."""

    @property
    def efficiency(self) -> float:
        """``ideal_transactions / transactions``: 1 is perfectly coalesced, or free of bank conflicts."""
        return self.ideal_transactions / self.transactions if self.transactions else 1.0


@dataclass(frozen=True)
class KernelWork:
    """One dispatch of a kernel. Counts are scaled up by ``groups / groups_run`` where not all threadgroups were run:
    exact for kernels whose threadgroups all do the same, else an estimate. All are 0 where none came to its end."""

    kernel: str
    grid: Triple
    """Threads."""
    group: Triple
    """Threads of a full threadgroup."""
    groups: int
    groups_run: int
    """Threadgroups that were run to their end."""
    buffers: tuple[BufferWork, ...]
    """The kernel's arguments, then tensors behind lists of addresses."""
    accesses: tuple[AccessWork, ...]
    """In the order of their lines."""
    threadgroup_read: int
    """Bytes, every access counted."""
    threadgroup_written: int
    barriers: int
    """Threadgroup barriers, once for each threadgroup that passes one."""
    simd_operations: int
    """simd, quad and simdgroup_matrix operations and SIMD-group barriers, once for each SIMD-group (or quad)."""
    atomics: int
    """Atomic operations, once for each thread."""
    flops: int
    """Floating-point operations executed; ``kernelwright.metal.flops`` says what counts as one."""
    threadgroup_memory: int
    """Bytes of one threadgroup, variables rounded up to 16."""

    @property
    def device_bytes(self) -> int:
        """Bytes that threads read from and write to device memory, every access counted: what they ask for, before any
        cache. Constant memory is left out: what is read there again and again for all threads, a GPU reads once."""
        return sum(b.read_bytes + b.written_bytes for b in self.buffers if b.space == "device")

    @property
    def distinct_device_bytes(self) -> int:
        """Each byte of device and constant memory once if it is read, and once if it is written: what has to move in
        any case, and is enough where caches hold everything that is used again."""
        return sum(buffer.distinct_read_bytes + buffer.distinct_written_bytes for buffer in self.buffers)

    @property
    def coalescing(self) -> float:
        """Over all accesses to device memory, ideal memory segments by touched ones: 1 is perfect."""
        return _efficiency([access for access in self.accesses if access.space == "device"])

    @property
    def bank_efficiency(self) -> float:
        """Over all accesses to threadgroup memory, ideal bank cycles by needed ones: 1 is free of conflicts."""
        return _efficiency([access for access in self.accesses if access.space == "threadgroup"])

    @property
    def arithmetic_intensity(self) -> float:
        """``flops / device_bytes``; 0 where no device memory is accessed."""
        return self.flops / self.device_bytes if self.device_bytes else 0.0

    @property
    def groups_by_memory(self) -> int | None:
        """Threadgroups that a core can hold at once, as far as threadgroup memory goes: how many share
        ``THREADGROUP_BYTES``, so at least so many. ``None``: the kernel uses none."""
        return THREADGROUP_BYTES // self.threadgroup_memory if self.threadgroup_memory else None

    @property
    def groups_by_threads(self) -> int:
        """Threadgroups that a core can hold at once, as far as threads go: how many share ``CORE_THREADS``. Registers,
        which the CPU does not tell, may make it fewer."""
        return CORE_THREADS // prod(self.group)

    @property
    def resident_threadgroups(self) -> int:
        """Threadgroups that a core can hold at once: the smaller of the two limits. A model."""
        by_memory, by_threads = self.groups_by_memory, self.groups_by_threads
        return by_threads if by_memory is None else min(by_memory, by_threads)


def _efficiency(accesses: list[AccessWork]) -> float:
    transactions = sum(access.transactions for access in accesses)
    return sum(access.ideal_transactions for access in accesses) / transactions if transactions else 1.0


@dataclass(frozen=True)
class Inspection:
    """One run with all checks and counters on."""

    reports: tuple[Report, ...]
    """Broken rules; empty: none was seen."""
    work: KernelWork
    gave_up: bool = False
    """A threadgroup waited in vain for another one, which does not run or comes later. Those that had ended count."""
