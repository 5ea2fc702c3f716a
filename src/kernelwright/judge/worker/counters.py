"""Hardware counters of this process through perf_event_open(2): user space only, every thread.

Opened while the process has one thread and before the filter of system calls holds; they follow every thread that is
started from then on. The kernel decides who may count (``kernel.perf_event_paranoid`` ≤ 2), and many virtual machines
have no counters at all.
"""

import ctypes
import os
import platform
import struct
import sys

_SYSCALLS = {"x86_64": 298, "aarch64": 241}
_HARDWARE = 0
EVENTS = {"cycles": 0, "instructions": 1, "cache_misses": 3, "branch_misses": 5}
"""Names and their numbers among ``PERF_TYPE_HARDWARE``."""
_DISABLED, _INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HV = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_ENABLE, _DISABLE = 0x2400, 0x2401
_ATTRIBUTE_SIZE = 128


class HardwareCounters:
    """Opens what it can; ``missing`` says in one line why nothing is counted."""

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self.missing = ""
        number = _SYSCALLS.get(platform.machine())
        if sys.platform != "linux" or number is None:
            self.missing = f"hardware counters: not read on {sys.platform} {platform.machine()}"
            return
        try:
            for name, event in EVENTS.items():
                self._counters[name] = _open(number, event)
        except OSError as error:
            self.missing = f"hardware counters: this system grants none ({os.strerror(error.errno or 0)})"
            self._close()

    def start(self) -> None:
        self._all(_ENABLE)

    def stop(self) -> dict[str, float]:
        """Counts since ``start``, by name; closes the counters."""
        self._all(_DISABLE)
        counts = {name: float(struct.unpack("q", os.read(fd, 8))[0]) for name, fd in self._counters.items()}
        self._close()
        return counts

    def _all(self, request: int) -> None:
        import fcntl

        for fd in self._counters.values():
            fcntl.ioctl(fd, request, 0)

    def _close(self) -> None:
        for fd in self._counters.values():
            os.close(fd)
        self._counters.clear()


def _open(number: int, event: int) -> int:
    """One counter of this thread and those that it starts, on any CPU. Raises ``OSError``."""
    flags = _DISABLED | _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HV
    # struct perf_event_attr: type, size, config, sample period, sample type, read format, flags
    head = struct.pack("IIQQQQQ", _HARDWARE, _ATTRIBUTE_SIZE, event, 0, 0, 0, flags)
    attribute = ctypes.create_string_buffer(head.ljust(_ATTRIBUTE_SIZE, b"\0"), _ATTRIBUTE_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, attribute, 0, -1, -1, 8)  # close on exec
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd
