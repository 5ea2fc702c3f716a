"""One device, several judges: who times has it to itself, who only computes on it shares it with others.

A reader-writer lock over two files, by flock(2), so that it holds between processes and a killed one lets go by dying.
Whoever wants to come in passes the turnstile first; who wants the device alone keeps the turnstile closed while it
waits for those inside to leave, so that a stream of sharers cannot keep it out (Downey, The Little Book of Semaphores,
section 4.2.5, the readers-writers problem without starvation of writers).
"""

import fcntl
import math
import os
import struct
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal, Protocol

from kernelwright.judge.files import anonymous_file

LINGER_SECONDS = 0.05
"""How long a visitor that shared the device stays when it is done: its next use of it usually follows at once, and who
lets go in between may wait until another one has timed a candidate."""
SPARE_BYTES = 256 << 20
"""Memory of the device that an allocator may keep unused, for its next tensors, when its process has left."""
LONGEST_STAY = 1.0
"""Seconds after which nobody lingers any more: others may be waiting to be alone."""
How = Literal["shared", "alone"]
Use = tuple[float, float]
"""When the device began and ceased to work for somebody: seconds of the machine's monotonic clock."""


class Gate(Protocol):
    """Stands before a device. Both ways in are context managers that may be entered again by a thread inside."""

    @property
    def waited(self) -> float:
        """Seconds spent before the gate so far."""
        ...

    @property
    def inside(self) -> bool:
        """Whether the calling thread has passed it."""
        ...

    @property
    def in_company(self) -> bool:
        """Whether others may be inside together with the calling thread."""
        ...

    def shared(self) -> AbstractContextManager[object]: ...

    def alone(self) -> AbstractContextManager[object]: ...

    def waiting(self) -> AbstractContextManager[object]:
        """What passes inside is time before the gate."""
        ...

    def used(self, seconds: float) -> None:
        """The device has worked for the caller for this long, until now."""
        ...


class OpenGate:
    """For a judge that has the device to itself: nobody waits, nothing is written down."""

    @property
    def waited(self) -> float:
        return 0.0

    @property
    def inside(self) -> bool:
        return True

    @property
    def in_company(self) -> bool:
        return False

    @contextmanager
    def shared(self) -> Generator[None]:
        yield

    @contextmanager
    def alone(self) -> Generator[None]:
        yield

    def waiting(self) -> AbstractContextManager[object]:
        return nullcontext()

    def used(self, seconds: float) -> None: ...


class WaitingTime:
    """How long one process has waited before the gate, in a file that another one reads meanwhile."""

    _LAYOUT = struct.Struct("<dd")  # seconds of earlier waits; when this one began, by the monotonic clock, or 0

    def __init__(self, fd: int | None = None) -> None:
        """``fd``: of the file of another process; by default a new one is made."""
        self.fd = anonymous_file("waiting") if fd is None else fd
        self._made = time.monotonic()
        self._before = 0.0

    @contextmanager
    def counted(self) -> Generator[None]:
        """Inside, this process waits."""
        began = time.monotonic()
        self._write(began)
        try:
            yield
        finally:
            self._before += time.monotonic() - began
            self._write(0.0)

    def _write(self, began: float) -> None:
        os.pwrite(self.fd, self._LAYOUT.pack(self._before, began), 0)

    @property
    def seconds(self) -> float:
        """So far, as the file has it, and no longer than there has been this object."""
        if self.fd < 0:
            return self._before
        now = time.monotonic()
        data = os.pread(self.fd, self._LAYOUT.size, 0)
        before, began = self._LAYOUT.unpack(data) if len(data) == self._LAYOUT.size else (0.0, 0.0)
        said = before + (now - began if began else 0.0)
        return min(max(0.0, said), now - self._made) if math.isfinite(said) else 0.0

    def close(self) -> None:
        """What was waited until now stays known."""
        if self.fd >= 0:
            self._before = self.seconds
            os.close(self.fd)
            self.fd = -1


class Visitor:
    """Passes the gate by two open files of its own, for one thread at a time.

    A lock belongs to the open file, not to the process that opened it: whoever is handed the two descriptors can pass,
    without seeing the gate's folder. Leaving is unlocking, since the files may be open in other processes too.
    """

    def __init__(self, room: int, turnstile: int, waiting: WaitingTime | None = None) -> None:
        self._room = room
        self._turnstile = turnstile
        self._waiting = waiting
        self._thread = threading.get_ident()
        self._entered = 0.0
        self._lock = threading.Lock()
        """Of what follows: a timer lets go too."""
        self._timer: threading.Timer | None = None
        self.waited = 0.0
        """Seconds spent before the gate so far."""
        self.holds: How | None = None

    def belong_here(self) -> None:
        """To the calling thread."""
        self._thread = threading.get_ident()

    def enter(self, how: How) -> None:
        """Come in; whoever lingers inside is there already."""
        self._stay()
        if self.holds == how:
            return
        self.leave()
        with self.patiently():
            fcntl.flock(self._turnstile, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._room, fcntl.LOCK_SH if how == "shared" else fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        self.holds = how
        self._entered = time.monotonic()

    def share(self) -> None:
        """From wherever this stands, to sharing the device."""
        if self.holds is None:
            self.enter("shared")
        elif self.holds == "alone":
            with self.patiently():  # not atomic, flock(2): whoever waits to be alone may come in first
                fcntl.flock(self._room, fcntl.LOCK_SH)
            self.holds = "shared"

    def leave(self) -> None:
        self._stay()
        if self.holds is not None:
            fcntl.flock(self._room, fcntl.LOCK_UN)
        self.holds = None

    def leave_soon(self) -> None:
        """Leave, a little later where this shares the device and has not been inside for long."""
        if self.holds != "shared" or time.monotonic() - self._entered > LONGEST_STAY:
            self.leave()
            return
        with self._lock:
            self._timer = threading.Timer(LINGER_SECONDS, self._leave_now)
            self._timer.daemon = True
            self._timer.start()

    def _leave_now(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():  # else this came in again, or was left, meanwhile
                self._timer = None
                fcntl.flock(self._room, fcntl.LOCK_UN)
                self.holds = None

    def _stay(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    @contextmanager
    def patiently(self) -> Generator[None]:
        """What passes inside is waiting. Other threads than the one that this belongs to wait for themselves."""
        if threading.get_ident() != self._thread:
            yield
            return
        began = time.monotonic()
        try:
            with nullcontext() if self._waiting is None else self._waiting.counted():
                yield
        finally:
            self.waited += time.monotonic() - began

    def close(self) -> None:
        """Leave, and give the files back."""
        self.leave()
        os.close(self._room)
        os.close(self._turnstile)


class DeviceGate:
    """The gate whose files lie in ``folder``, which is made where it is not there.

    Threads of one process meet at it like processes do. Inside ``alone`` a thread may ask for ``shared`` and ``alone``
    again; inside ``shared``, asking for ``alone`` means to leave, and to come back in afterwards: two that share and
    both want to be alone would wait for each other for ever.

    ``waiting``: where visitors say how long they wait. ``journal``: time that was spent alone, and what :meth:`used` is
    told, is written to the folder, for :func:`uses`.
    """

    def __init__(self, folder: str | Path, *, journal: bool = True, waiting: WaitingTime | None = None) -> None:
        self._folder = Path(folder)
        self._waiting = waiting
        self._journal = journal
        self._inside = threading.local()
        self._lock = threading.Lock()
        self._lingering: Visitor | None = None
        """Was inside a moment ago, or still is: for whichever thread comes next."""
        self._waited = 0.0
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def waited(self) -> float:
        return self._waited

    @property
    def inside(self) -> bool:
        return self._visitor is not None

    @property
    def in_company(self) -> bool:
        return self._visitor is not None and self._visitor.holds == "shared"

    @contextmanager
    def shared(self) -> Generator[None]:
        """The device, together with others that share it."""
        if self._visitor is not None:
            yield
            return
        visitor = self._take_lingering() or self.visitor()
        try:
            with self._in(visitor, "shared"):
                yield
        finally:
            visitor.leave_soon()
            with self._lock:
                visitor, self._lingering = self._lingering, visitor
            if visitor is not None:
                visitor.close()

    @contextmanager
    def alone(self) -> Generator[None]:
        """The device, with nobody else inside."""
        before = self._visitor
        if before is not None and before.holds == "alone":
            yield
            return
        if before is not None:
            before.leave()
        visitor = self._take_lingering() or self.visitor()
        try:
            with self._in(visitor, "alone"):
                began = time.monotonic()
                try:
                    yield
                finally:
                    self.used(time.monotonic() - began)
        finally:
            visitor.close()
            if before is not None:
                self._inside.visitor = before
                self._enter(before, "shared")

    @contextmanager
    def _in(self, visitor: Visitor, how: How) -> Generator[None]:
        self._enter(visitor, how)
        self._inside.visitor = visitor
        try:
            yield
        finally:
            self._inside.visitor = None

    @contextmanager
    def waiting(self) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - began

    def _enter(self, visitor: Visitor, how: How) -> None:
        visitor.belong_here()
        waited = visitor.waited
        visitor.enter(how)
        self._waited += visitor.waited - waited

    def _take_lingering(self) -> Visitor | None:
        with self._lock:
            visitor, self._lingering = self._lingering, None
        return visitor

    def __del__(self) -> None:
        if (visitor := self._take_lingering()) is not None:
            visitor.close()

    def visitor(self) -> Visitor:
        """One more that may pass; the caller closes it."""
        room, turnstile = self.descriptors()
        return Visitor(room, turnstile, self._waiting)

    def descriptors(self) -> tuple[int, int]:
        """What a ``Visitor`` passes by, opened anew: room and turnstile, for the caller to close.

        Two that open them once each exclude each other, as processes and as threads.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        room = os.open(self._folder / "room", flags, 0o600)
        try:
            return room, os.open(self._folder / "turnstile", flags, 0o600)
        except BaseException:
            os.close(room)
            raise

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
    def _visitor(self) -> Visitor | None:
        """Of the calling thread, where it is inside."""
        return getattr(self._inside, "visitor", None)


def gate_at(folder: str | None, *, journal: bool = True, waiting: WaitingTime | None = None) -> Gate:
    """The gate in ``folder``; one that is always open where there is none."""
    return OpenGate() if folder is None else DeviceGate(folder, journal=journal, waiting=waiting)


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
