"""The runtime library from Python: the records of ``headers/kw_abi.h`` as ctypes, and the calls. Imports no torch."""

import ctypes
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path
from typing import Any

from kernelwright.metal.build import runtime_library
from kernelwright.metal.toolchain import Toolchain

BUFFERS = 64
MAX_THREADS = 1024
SIMD_WIDTH = 32

Triple = tuple[int, int, int]


class Order(IntEnum):
    """In which order the threads of a threadgroup run between two barriers."""

    ASCENDING = 0
    DESCENDING = 1
    SHUFFLED = 2


class Check(IntFlag):
    """What a launch watches."""

    NONE = 0
    RULES = 1
    COUNTS = 2
    OTHER_ABSENT = 4
    """Lanes without a thread answer shuffles with other values than usual."""


class Outcome(IntEnum):
    """What ``kw_launch`` answers."""

    DONE = 0
    TOO_MANY_THREADS = 1
    FAR_ACCESS = 2
    """Stopped after an access to memory that belongs to nobody."""
    DEADLOCK = 3
    """The threads of a threadgroup wait for each other at different places."""
    GAVE_UP = 4
    """A threadgroup waits for another one that does not run. Only of launches that count."""


class KwLaunch(ctypes.Structure):
    """One dispatch."""

    _fields_ = [
        ("buffer", ctypes.c_void_p * BUFFERS),
        ("buffer_bytes", ctypes.c_uint64 * BUFFERS),
        ("threadgroup_bytes", ctypes.c_uint32 * BUFFERS),
        ("grid", ctypes.c_uint32 * 3),
        ("group", ctypes.c_uint32 * 3),
        ("groups", ctypes.c_uint32 * 3),
        ("order", ctypes.c_uint32),
        ("seed", ctypes.c_uint32),
        ("check", ctypes.c_uint32),
        ("workers", ctypes.c_uint32),
    ]


class KwArgumentInfo(ctypes.Structure):
    """What the compiler found out about one argument of a kernel."""

    _fields_ = [
        ("kind", ctypes.c_int),
        ("index", ctypes.c_int),
        ("element_bytes", ctypes.c_uint32),
        ("read_only", ctypes.c_int),
        ("code", ctypes.c_char),
    ]


class KwKernel(ctypes.Structure):
    """One kernel of a compiled program."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("run_threads", ctypes.c_void_p),
        ("run_row", ctypes.c_void_p),
        ("run_lockstep", ctypes.c_void_p),
        ("arguments", ctypes.POINTER(KwArgumentInfo)),
        ("argument_count", ctypes.c_int),
        ("max_threads", ctypes.c_uint32),
    ]


class KwReport(ctypes.Structure):
    """One thing that the checks saw."""

    _fields_ = [
        ("kind", ctypes.c_int),
        ("write", ctypes.c_int),
        ("bytes", ctypes.c_uint32),
        ("buffer", ctypes.c_int),
        ("offset", ctypes.c_long),
        ("program_counter", ctypes.c_uint64),
        ("other_program_counter", ctypes.c_uint64),
        ("line", ctypes.c_uint32),
        ("other_line", ctypes.c_uint32),
        ("threadgroup", ctypes.c_uint32 * 3),
        ("thread", ctypes.c_uint32),
        ("other_thread", ctypes.c_uint32),
        ("file", ctypes.c_char * 256),
        ("subject", ctypes.c_char * 96),
    ]


KW_BUFFER, KW_THREADGROUP = 0, 1


@dataclass(frozen=True)
class Extent:
    """Memory that a kernel may touch: ``bytes`` from ``address`` on."""

    address: int
    bytes: int
    lead: int = 0
    """How many bytes of the same allocation lie before it."""


@dataclass(frozen=True)
class Dispatch:
    """What to launch over: buffers by their index, sizes of dynamic threadgroup memory, threads."""

    buffers: Mapping[int, Extent]
    threadgroup_bytes: Mapping[int, int]
    grid: Triple
    group: Triple
    order: Order = Order.ASCENDING
    seed: int = 0
    check: Check = Check.NONE
    workers: int = 0
    """Operating-system threads; 0: one for each core."""

    @property
    def groups(self) -> Triple:
        """Threadgroups in each direction; the last one may be smaller."""
        x, y, z = (-(-n // size) for n, size in zip(self.grid, self.group, strict=True))
        return x, y, z

    def record(self) -> KwLaunch:
        launch = KwLaunch()
        for index, extent in self.buffers.items():
            launch.buffer[index] = extent.address
            launch.buffer_bytes[index] = extent.bytes
        for index, size in self.threadgroup_bytes.items():
            launch.threadgroup_bytes[index] = size
        launch.grid[:], launch.group[:], launch.groups[:] = self.grid, self.group, self.groups
        launch.order, launch.seed, launch.check, launch.workers = self.order, self.seed, self.check, self.workers
        return launch


class Runtime:
    """The runtime library of this process. One kernel runs at a time: ``lock`` is held for a launch and its reports."""

    def __init__(self, path: Path):
        self.lock = threading.Lock()
        self.library = library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)  # programs find its functions by name
        self._launch = _function(library, "kw_launch", ctypes.c_int, ctypes.POINTER(KwKernel), ctypes.POINTER(KwLaunch))
        self._report_count = _function(library, "kw_report_count", ctypes.c_int)
        self._report = _function(library, "kw_report", ctypes.POINTER(KwReport), ctypes.c_int)
        self._clear = _function(library, "kw_reports_clear", None)
        self._module = _function(library, "kw_module", None, ctypes.c_uint64, ctypes.c_uint64)
        self._guarded = _function(library, "kw_guarded", ctypes.c_void_p, ctypes.c_uint64)
        self._guarded_free = _function(library, "kw_guarded_free", None, ctypes.c_void_p, ctypes.c_uint64)
        self._threadgroup_bytes = _function(library, "kw_threadgroup_bytes_used", ctypes.c_uint64)
        self._counter = _function(library, "kw_counter", ctypes.c_uint64, ctypes.c_int)

    def launch(self, kernel: KwKernel, dispatch: Dispatch) -> Outcome:
        """Runs to the end; other Python threads go on meanwhile."""
        return Outcome(self._launch(ctypes.byref(kernel), ctypes.byref(dispatch.record())))

    def watch(self, low: int, high: int) -> None:
        """Says where the checked program lies: its own constants are no buffer."""
        self._module(low, high)

    def take_reports(self) -> list[KwReport]:
        """The reports since the last call, as copies."""
        found = [KwReport.from_buffer_copy(self._report(i).contents) for i in range(self._report_count())]
        self._clear()
        return found

    def guarded(self, size: int) -> int:
        """The address of fresh memory whose end touches an inaccessible page. Raises ``MemoryError``."""
        address = self._guarded(size)
        if not address:
            raise MemoryError(f"no {size} bytes of memory for a checked copy of a buffer")
        return address

    def free_guarded(self, address: int, size: int) -> None:
        self._guarded_free(address, size)

    def threadgroup_bytes_used(self) -> int:
        """Threadgroup memory of one threadgroup in the last launch."""
        return self._threadgroup_bytes()

    def counter(self, which: int) -> int:
        """A counter of the last launch with ``Check.COUNTS``; the numbers stand in ``kw_abi.h``."""
        return self._counter(which)


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]
    function.restype, function.argtypes = result, list(arguments)
    return function


@cache
def runtime(toolchain: Toolchain) -> Runtime:
    """The runtime of this process; built on this machine's first use. Raises ``CompilerFailed``."""
    return Runtime(runtime_library(toolchain))


class LoadedProgram:
    """A compiled program in this process. Raises ``OSError`` for a library that cannot be loaded."""

    def __init__(self, path: Path, toolchain: Toolchain):
        self.runtime = runtime(toolchain)  # first: the program's calls into it are resolved here
        self._library = ctypes.CDLL(str(path))

    def kernel(self, number: int) -> KwKernel:
        return KwKernel.in_dll(self._library, f"kw_kernel_{number}")

    def base(self) -> int:
        """The address that the file's addresses count from."""
        found = _DlInfo()
        address = ctypes.addressof(self.kernel(0))
        if not ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(found)):
            raise OSError("dladdr does not know a program that was just loaded")
        return found.file_base


class _DlInfo(ctypes.Structure):
    """``Dl_info`` of dlfcn.h."""

    _fields_ = [
        ("file_name", ctypes.c_char_p),
        ("file_base", ctypes.c_void_p),
        ("symbol_name", ctypes.c_char_p),
        ("symbol_address", ctypes.c_void_p),
    ]


def info_of(kernel: KwKernel) -> Sequence[KwArgumentInfo]:
    """The arguments of a kernel, in the order of its parameters."""
    return [kernel.arguments[i] for i in range(kernel.argument_count)]
