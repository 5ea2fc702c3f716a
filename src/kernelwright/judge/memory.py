"""Memory of a device that several judges share: each says how much its problem will take, and waits until that is free.

What a problem takes is estimated from one call of its reference. Who is refused memory all the same tries again alone
(``reference/server.py``, ``worker/harness.py``): the estimate need not be right, only mostly so.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

SHARE = 0.8
"""Of the device's memory, for all problems together: contexts and kernels take some too (0.5 GB for each of some thirty
processes on an H200), and the one call by which a problem's size is found out."""
POLL_SECONDS = 0.2
PROCESSES = 3 << 30
"""Bytes that a problem's processes take however small its tensors are: three contexts with their kernels, and what
PyTorch's caches may keep beside others."""
PATIENCE = 60.0
"""Seconds after which nobody who came later goes first any more, however little they want."""


class Sizes(NamedTuple):
    """Bytes of a problem's inputs and outputs, and the most that one call of its reference held, those included."""

    inputs: int
    outputs: int
    peak: int


def wanted(sizes: Sizes) -> int:
    """Bytes that judging takes, mostly.

    Inputs are held by the reference and the candidate, once more by a CUDA graph, and in float64 while the right answer
    is made; outputs by the reference in their own precision, by a CUDA graph, and twice in float64 while the yardstick
    is made, and twice by the candidate, which hands a copy over; what lies in between by a CUDA graph, and in float64.
    """
    between = max(0, sizes.peak - sizes.inputs - sizes.outputs)
    return PROCESSES + 5 * sizes.inputs + 8 * sizes.outputs + 3 * between


def lacks_memory(error: BaseException | None) -> bool:
    """Whether it, or what it was made from, says that a device's memory is full."""
    import torch

    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__cause__
    return error is not None


class Ticket:
    """So many bytes, until it is closed or its process ends."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    def close(self) -> None:
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


class Memory:
    """The tickets of one device, as files in the gate's folder: each is locked for as long as its holder lives."""

    def __init__(self, folder: Path, total: int) -> None:
        """``total``: bytes of the device."""
        self._folder = folder / "memory"
        self._total = int(SHARE * total)
        self._folder.mkdir(parents=True, exist_ok=True)

    def admit(
        self, measure: Callable[[], Sizes], waiting: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> Ticket:
        """Wait for what a problem wants. ``measure`` calls its reference, ``waiting`` is entered while others are
        waited for.

        Raises what ``measure`` raises; where that ``lacks_memory`` it is asked once more while nobody else has any.
        """
        try:
            sizes = measure()
        except Exception as error:
            if not getattr(error, "lacks_memory", False):
                raise
            with waiting():
                everything = self.take(self._total)
            try:
                sizes = measure()
            finally:
                everything.close()
        with waiting():
            return self.take(wanted(sizes))

    def take(self, nbytes: int) -> Ticket:
        """Wait until there is so much, or nobody else has any."""
        nbytes = min(nbytes, self._total)
        began = round(time.monotonic(), 6)  # as the name of the file has it
        waiting = self._new(f"waiting-{began:.6f}")
        try:
            while True:
                with self._mutex():
                    if self._free(nbytes, began):
                        return self._new(f"taken-{nbytes}")
                time.sleep(POLL_SECONDS)
        finally:
            waiting.close()

    def _free(self, nbytes: int, began: float) -> bool:
        now = time.monotonic()
        older = (float(name.split("-")[1]) for name in self._held("waiting"))
        if any(since < began and now - since > PATIENCE for since in older):
            return False
        taken = [int(name.split("-")[1]) for name in self._held("taken")]
        return not taken or sum(taken) + nbytes <= self._total

    def _held(self, kind: str) -> list[str]:
        """Names of the files of that kind whose holders live; the others are removed."""
        found: list[str] = []
        for path in self._folder.glob(f"{kind}-*"):
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # closed meanwhile
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                found.append(path.name)
            finally:
                os.close(fd)
        return found

    def _new(self, name: str) -> Ticket:
        """Locked before it can be seen: an unlocked one is taken for that of a process that has ended."""
        path = self._folder / f"{name}-{os.getpid()}"
        fd, partial = tempfile.mkstemp(prefix="partial-", dir=self._folder)
        fcntl.flock(fd, fcntl.LOCK_EX)
        Path(partial).rename(path)
        return Ticket(path, fd)

    @contextmanager
    def _mutex(self) -> Generator[None]:
        fd = os.open(self._folder / "mutex", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
