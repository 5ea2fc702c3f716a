"""The runtime's counters from Python: what to run, what to count, and the records of what was counted.

Imports no torch. The functions are those of ``runtime/accesses.cpp``, ``counters.cpp`` and ``workers.cpp``.
"""

import ctypes
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path

from kernelwright.metal import reports
from kernelwright.metal.launch import Runtime


class Counter(IntEnum):
    """``KwCounter``; the last four are counted from by the index of a buffer."""

    BARRIERS = 0
    SIMD_OPERATIONS = 1
    THREADGROUP_READ = 2
    THREADGROUP_WRITTEN = 3
    ATOMICS = 4
    FLOPS = 5
    GROUPS = 6
    BUFFER_READ = 64
    BUFFER_WRITTEN = 128
    BUFFER_BYTES_READ = 192
    BUFFER_BYTES_WRITTEN = 256


class KwAccess(ctypes.Structure):
    """How one place of a program accessed one buffer or threadgroup variable."""

    _fields_ = [
        ("program_counter", ctypes.c_uint64),
        ("buffer", ctypes.c_int),
        ("write", ctypes.c_int),
        ("accesses", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("transactions", ctypes.c_uint64),
        ("ideal_transactions", ctypes.c_uint64),
        ("subject", ctypes.c_char * 96),
    ]


_Numbers = ctypes.POINTER(ctypes.c_uint64)


@contextmanager
def counting(runtime: Runtime, library: Path, groups: Sequence[int] | None) -> Generator[None]:
    """Launches meanwhile know the program's expressions and, with ``groups``, run these threadgroups only.

    Threadgroups are numbered along x, then y, then z. Call it with the runtime's lock held.
    """
    choose, say_sites = runtime.library["kw_choose_groups"], runtime.library["kw_sites"]
    choose.argtypes = [_Numbers, ctypes.c_uint64]
    say_sites.argtypes = [_Numbers, ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint64]
    choose.restype = say_sites.restype = None
    say_sites(*_sites(library))
    chosen = (ctypes.c_uint64 * len(groups or ()))(*groups or ())  # must outlive the launches
    choose(chosen if groups else None, len(chosen))
    try:
        yield
    finally:
        choose(None, 0)
        say_sites(None, None, 0)


def accesses(runtime: Runtime) -> list[KwAccess]:
    """The records of the last launch, as copies."""
    count, record = runtime.library["kw_access_count"], runtime.library["kw_access"]
    record.restype, record.argtypes = ctypes.POINTER(KwAccess), [ctypes.c_int]
    return [KwAccess.from_buffer_copy(record(i).contents) for i in range(count())]


@cache
def _sites(library: Path) -> tuple[ctypes.Array[ctypes.c_uint64], ctypes.Array[ctypes.c_uint32], int]:
    addresses, numbers = reports.expressions(library)
    count = len(addresses)
    return (ctypes.c_uint64 * count)(*addresses), (ctypes.c_uint32 * count)(*numbers), count
