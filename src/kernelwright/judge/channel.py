"""Messages over a Unix socket: a length, JSON, and file descriptors beside it. Safe to read from a hostile peer."""

import json
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any

MAX_MESSAGE = 32 << 20
MAX_FDS = 8
LOOK_AGAIN_SECONDS = 0.05
_HEAD = struct.Struct("<IB")


class ChannelClosed(Exception):
    """The other side is gone."""


class ChannelTimeout(Exception):
    """No whole message came in time."""


class ChannelCorrupt(Exception):
    """What came is not a message of ours; the text says why."""


def readable(fd: int, seconds: float | None) -> bool:
    """Whether ``fd`` has something to read (or has ended) within ``seconds``; ``None`` waits for ever."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


class Channel:
    """One end of a connection. ``send`` and ``receive`` move a JSON object and up to eight file descriptors."""

    def __init__(self, sock: socket.socket):
        self._socket = sock
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    @classmethod
    def from_fd(cls, fd: int) -> "Channel":
        return cls(socket.socket(fileno=fd))

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Our end, wrapped, and the raw socket that the other process inherits."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours), theirs

    def fileno(self) -> int:
        return self._socket.fileno()

    def ready(self, seconds: float | None) -> bool:
        """Whether something is there to receive within ``seconds``: on the socket, or read with the message before."""
        return bool(self._buffer) or readable(self.fileno(), seconds)

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        body = json.dumps(message).encode()
        data = memoryview(_HEAD.pack(len(body), len(fds)) + body)
        try:
            sent = socket.send_fds(self._socket, [data], list(fds)) if fds else self._socket.send(data)
            while sent < len(data):
                sent += self._socket.send(data[sent:])
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            raise ChannelClosed(str(error)) from None

    def receive_within(self, seconds: Callable[[], float]) -> tuple[dict[str, Any], list[int]]:
        """As ``receive``, where the time that is left may grow meanwhile: ``seconds`` is asked again when it is up."""
        while not self.ready(max(LOOK_AGAIN_SECONDS, seconds())):
            if seconds() <= 0.0:
                raise ChannelTimeout
        return self.receive(max(LOOK_AGAIN_SECONDS, seconds()))

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[int]]:
        """The next message and its descriptors, which the caller closes."""
        deadline = None if timeout is None else time.monotonic() + timeout
        length, count = _HEAD.unpack(self._take(_HEAD.size, deadline))
        if length > MAX_MESSAGE or count > MAX_FDS:
            raise ChannelCorrupt("a message of impossible size")
        body = self._take(length, deadline)
        if len(self._fds) < count:
            raise ChannelCorrupt("a message announces descriptors that did not come")
        fds = [self._fds.popleft() for _ in range(count)]
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            for fd in fds:
                os.close(fd)
            raise ChannelCorrupt("a message that is not a JSON object")
        return message, fds

    def _take(self, n: int, deadline: float | None) -> bytes:
        while len(self._buffer) < n:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not readable(self._socket.fileno(), wait):
                raise ChannelTimeout
            try:
                data, fds, _, _ = socket.recv_fds(self._socket, 1 << 16, MAX_FDS * 4)
            except (ConnectionResetError, OSError) as error:
                raise ChannelClosed(str(error)) from None
            self._fds.extend(fds)
            if len(self._fds) > MAX_FDS * 4:
                raise ChannelCorrupt("too many descriptors")
            if not data:
                raise ChannelClosed("end of stream")
            self._buffer += data
        taken = bytes(self._buffer[:n])
        del self._buffer[:n]
        return taken

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._socket.close()
