"""Copies of a call's buffers in memory of their own, so that an access far outside of them hits nothing else."""

import ctypes
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kernelwright.metal.arguments import Binding
from kernelwright.metal.launch import Extent, Runtime

ALIGNMENT = 16
"""Bytes. A copy starts as far from a multiple of it as its tensor starts from the beginning of its storage: what is
misaligned on a Mac stays so, and nothing else becomes it."""


@dataclass(frozen=True)
class _Copy:
    original: Extent
    memory: int
    """What the runtime handed out, ``room`` bytes that end at an inaccessible page."""
    room: int

    @property
    def address(self) -> int:
        return self.memory + self.original.lead % ALIGNMENT


@contextmanager
def guarded_copies(runtime: Runtime, binding: Binding, *, write_back: bool = True) -> Generator[dict[int, Extent]]:
    """The buffers to launch with. What the kernel wrote is copied back at the end, also after an error in the kernel.
    Without ``write_back`` it is lost.

    Buffers that overlap, as when a tensor is given twice, overlap in the copies as well.
    """
    copies: list[_Copy] = []
    try:
        for region in merged(binding.buffers.values()):
            room = -(-(region.lead % ALIGNMENT + max(region.bytes, 1)) // ALIGNMENT) * ALIGNMENT
            copies.append(_Copy(region, runtime.guarded(room), room))
            ctypes.memmove(copies[-1].address, region.address, region.bytes)
        buffers = {index: _moved(extent, copies) for index, extent in binding.buffers.items()}
        _repoint(binding.pointees, buffers)
        yield buffers
        for copy in copies if write_back else ():
            ctypes.memmove(copy.original.address, copy.address, copy.original.bytes)
    finally:
        for copy in copies:
            runtime.free_guarded(copy.memory, copy.room)


def merged(extents: Iterable[Extent]) -> list[Extent]:
    """The extents in ascending order, those that share bytes as one."""
    found: list[Extent] = []
    for extent in sorted(set(extents), key=lambda extent: (extent.address, extent.bytes)):
        last = found[-1] if found else None
        if last and extent.address < last.address + last.bytes:
            end = max(last.address + last.bytes, extent.address + extent.bytes)
            found[-1] = replace(last, bytes=end - last.address)
        else:
            found.append(extent)
    return found


def contents(extent: Extent) -> bytes:
    """What stands there now."""
    return ctypes.string_at(extent.address, extent.bytes)


def _moved(extent: Extent, copies: Iterable[_Copy]) -> Extent:
    for copy in copies:
        start, end = copy.original.address, copy.original.address + copy.original.bytes
        if start <= extent.address and extent.address + extent.bytes <= end:
            return replace(extent, address=copy.address + extent.address - start)
    raise LookupError("a buffer has no copy")


def _repoint(pointees: Mapping[int, tuple[int, ...]], buffers: Mapping[int, Extent]) -> None:
    """Lists of addresses name the copies."""
    for table, slots in pointees.items():
        addresses = (ctypes.c_uint64 * len(slots))(*(buffers[slot].address for slot in slots))
        ctypes.memmove(buffers[table].address, addresses, ctypes.sizeof(addresses))
