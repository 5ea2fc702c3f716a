"""Anonymous files, the carrier of everything large between processes, and how those processes allocate. No torch."""

import fcntl
import os
import sys
import tempfile

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""glibc's settings for every process that is timed: its thresholds otherwise move with a process's past, and a
candidate would be held against a baseline that gives memory back to the system at another size (mallopt(3))."""


def anonymous_file(name: str) -> int:
    """A file descriptor with no path: memory on Linux, an unlinked temporary file elsewhere."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def seal(fd: int) -> None:
    """Make the file immutable where the system can: a file shared with a candidate stays what it was."""
    if sys.platform == "linux":
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """``pwrite`` until everything is written."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.pwrite(fd, view[done : done + (1 << 30)], offset + done)
