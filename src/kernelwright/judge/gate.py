"""One device, several judges: who times has it to itself, who only computes on it shares it with others.

A reader-writer lock over two files, by flock(2), so that it holds between processes and a killed one lets go by dying.
Whoever wants to come in passes the turnstile first; who wants the device alone keeps the turnstile closed while it
waits for those inside to leave, so that a stream of sharers cannot keep it out (Downey, The Little Book of Semaphores,
section 4.2.5, the readers-writers problem without starvation of writers).
"""

import fcntl
import os
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, Protocol

Use = tuple[float, float]
"""When the device began and ceased to work for somebody: seconds of the machine's monotonic clock."""


class Gate(Protocol):
    """Stands before a device. Both ways in are context managers that may be entered again by a thread inside."""

    @property
    def waited(self) -> float:
        """Seconds spent before the gate so far."""
        ...

    def shared(self) -> AbstractContextManager[object]: ...

    def alone(self) -> AbstractContextManager[object]: ...

    def used(self, seconds: float) -> None:
        """The device has worked for the caller for this long, until now."""
        ...


class OpenGate:
    """For a judge that has the device to itself: nobody waits, nothing is written down."""

    @property
    def waited(self) -> float:
        return 0.0

    @contextmanager
    def shared(self) -> Generator[None]:
        yield

    @contextmanager
    def alone(self) -> Generator[None]:
        yield

    def used(self, seconds: float) -> None: ...


class DeviceGate:
    """The gate whose files lie in ``folder``, which is made where it is not there.

    Threads of one process meet at it like processes do. Inside ``alone`` a thread may ask for ``shared`` and ``alone``
    again; inside ``shared``, asking for ``alone`` means to leave, and to come back in afterwards: two that share and
    both want to be alone would wait for each other for ever.

    ``journal``: time that was spent alone, and what :meth:`used` is told, is written to the folder, for :func:`uses`.
    """

    def __init__(self, folder: str | Path, *, journal: bool = True) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._journal = journal
        self._inside = threading.local()
        self._waited = 0.0

    @property
    def waited(self) -> float:
        return self._waited

    @contextmanager
    def shared(self) -> Generator[None]:
        """The device, together with others that share it."""
        if self._holds is not None:
            yield
            return
        fd = self.enter("shared")
        self._inside.holds = "shared", fd
        try:
            yield
        finally:
            self._inside.holds = None
            os.close(fd)

    @contextmanager
    def alone(self) -> Generator[None]:
        """The device, with nobody else inside."""
        before = self._holds
        if before is not None and before[0] == "alone":
            yield
            return
        if before is not None:
            fcntl.flock(before[1], fcntl.LOCK_UN)
        fd = self.enter("alone")
        self._inside.holds = "alone", fd
        began = time.monotonic()
        try:
            yield
        finally:
            self.used(time.monotonic() - began)
            self._inside.holds = before
            os.close(fd)
            if before is not None:
                self._pass(before[1], fcntl.LOCK_SH)

    def enter(self, how: Literal["shared", "alone"]) -> int:
        """Come in and stay until the descriptor that this returns is closed. Not for a thread that is inside."""
        fd = self._open("room")
        try:
            self._pass(fd, fcntl.LOCK_SH if how == "shared" else fcntl.LOCK_EX)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def used(self, seconds: float) -> None:
        if not self._journal:
            return
        now = time.monotonic()
        fd = os.open(_journal(self._folder, os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, f"{now - seconds:.6f} {now:.6f}\n".encode())
        finally:
            os.close(fd)

    @property
    def _holds(self) -> tuple[Literal["shared", "alone"], int] | None:
        return getattr(self._inside, "holds", None)

    def _pass(self, room: int, how: int) -> None:
        """Through the turnstile into the room."""
        began = time.monotonic()
        turnstile = self._open("turnstile")
        try:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(room, how)
        finally:
            os.close(turnstile)
            self._waited += time.monotonic() - began

    def _open(self, name: str) -> int:
        """A new open file each time: a lock belongs to it, so two threads that opened one each exclude each other."""
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def gate_at(folder: str | None, *, journal: bool = True) -> Gate:
    """The gate in ``folder``; one that is always open where there is none."""
    return OpenGate() if folder is None else DeviceGate(folder, journal=journal)


def uses(folder: str | Path, pid: int | None = None) -> list[Use]:
    """What was written down in a gate's folder, by one process or by all."""
    names = [_journal(Path(folder), pid)] if pid is not None else sorted(Path(folder).glob(_journal(Path(), "*").name))
    found: list[Use] = []
    for path in names:
        if path.exists():
            whole = (line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n"))
            found += [(float(began), float(ended)) for began, ended in whole]
    return found


def seconds_in_use(intervals: Iterable[Use]) -> float:
    """Seconds in which the device worked for anybody: several that share it at a time count once."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(intervals):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _journal(folder: Path, pid: int | str) -> Path:
    return folder / f"used-{pid}.txt"
