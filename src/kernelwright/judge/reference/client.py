"""How the judge talks to the reference's process. Imports no torch."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from kernelwright.home import home
from kernelwright.judge.channel import Channel, ChannelClosed, ChannelTimeout
from kernelwright.judge.files import ALLOCATOR, anonymous_file, write_all
from kernelwright.judge.gate import Gate, OpenGate, WaitingTime
from kernelwright.schema import Problem


def baseline_cache() -> str:
    """Where compiled baselines are kept between sessions: below ``$KERNELWRIGHT_HOME`` or ``~/.kernelwright``."""
    return str(home() / "cache" / "inductor")


class ReferenceFailed(RuntimeError):
    """The reference itself cannot be built, run or reached: no candidate can be judged. One line."""

    def __init__(self, message: str, *, lost: bool = False, lacks_memory: bool = False):
        super().__init__(message)
        self.lost = lost
        """The process is gone or does not answer: it must be replaced."""
        self.lacks_memory = lacks_memory
        """The device had no memory left for it."""


SHARED_THROUGHOUT = frozenset({"sizes", "forget", "try", "relations", "labels", "operators", "stress_kinds", "costs"})
"""Requests that use the device from their beginning to their end."""
GATED_THERE = SHARED_THROUGHOUT | {
    "open", "construction", "plan", "draw", "check", "check_timed", "check_repeat", "build", "check_baseline",
}  # fmt: skip
"""Requests for which the process itself passes the gate: most take long without the device, all may lack memory."""
NEEDS_NO_DEVICE = frozenset({"begin", "accuracy", "device", "built"})
NEEDS_IT_ALONE = frozenset({"limits"})
"""Requests that measure the device."""
CALLS = frozenset({"plan", "draw", "check_timed"})
"""Requests whose answer says how long the reference itself ran for it, or was drawn for."""


class Reference:
    """The process that holds the reference; started at once, awaited at the first request.

    ``gate``: passed for every request, unless whoever asks is inside; ``gate_folder``: where it is, for the requests
    that the process gates itself.
    """

    def __init__(self, platform: str, gate: Gate | None = None, gate_folder: str | None = None):
        self.platform = platform
        self._gate = gate or OpenGate()
        self._gate_folder = gate_folder
        self._waiting = WaitingTime()
        """Of the process, before the gate."""
        self.device_type = platform  # platforms are named after torch's device types
        ours, theirs = Channel.pair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        argv = [sys.executable, "-m", "kernelwright.judge.reference.server"]
        argv += map(str, (theirs.fileno(), os.getpid(), self._waiting.fd))
        self._process = subprocess.Popen(
            argv, pass_fds=[theirs.fileno(), self._waiting.fd], stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, start_new_session=True, env=os.environ | ALLOCATOR,
        )  # fmt: skip
        theirs.close()
        self._channel = ours

    @property
    def waited_before_gate(self) -> float:
        """Seconds that the process itself has waited before the gate; known after its end too."""
        return self._waiting.seconds

    def request(
        self, op: str, fds: tuple[int, ...] = (), *, timeout: float = 600.0, **arguments: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """Ask and wait. Raises ``ReferenceFailed`` for an error, a time-out or the process's death.

        ``timeout``: seconds, those before the gate not counted.
        """
        there = op in GATED_THERE and not self._gate.inside  # it would wait for the judge, which waits for it
        with self._passed(op) if not there else nullcontext():
            reply, out = self._request(op, fds, timeout, arguments | {"gated": there})
            seconds = reply.get("seconds")
            if op in CALLS and isinstance(seconds, float):
                self._gate.used(seconds)
        return reply, out

    def _passed(self, op: str) -> AbstractContextManager[object]:
        if op in NEEDS_NO_DEVICE:
            return nullcontext()
        return self._gate.alone() if op in NEEDS_IT_ALONE else self._gate.shared()

    def _request(
        self, op: str, fds: tuple[int, ...], timeout: float, arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], list[int]]:
        try:
            self._channel.send({"op": op, **arguments}, fds)
            # on the judge's clock a timed request must cost here what it costs in a candidate's process
            reply, out = self._received(timeout) if arguments["gated"] else self._channel.receive(timeout)
        except ChannelTimeout:
            text = f"the reference took longer than {timeout:.0f} s (during {op})"
            raise ReferenceFailed(text, lost=True) from None
        except ChannelClosed:
            raise ReferenceFailed(f"its process ended (during {op}): {self._last_words()}", lost=True) from None
        if "error" in reply:
            raise ReferenceFailed(str(reply["error"]), lacks_memory=bool(reply.get("lacks_memory")))
        return reply, out

    def _received(self, timeout: float) -> tuple[dict[str, Any], list[int]]:
        """What comes within that time, which stands still while the process waits before the gate."""
        deadline = time.monotonic() - self._waiting.seconds + timeout
        return self._channel.receive_within(lambda: deadline + self._waiting.seconds - time.monotonic())

    def ask(self, op: str, fds: tuple[int, ...] = (), *, timeout: float = 600.0, **arguments: Any) -> dict[str, Any]:
        """A request whose answer carries no descriptors."""
        return self.request(op, fds, timeout=timeout, **arguments)[0]

    def draw(self, seed: int, kind: str, *, lend: bool = False, beside: bool = False) -> tuple[int, float]:
        """A file with the inputs of a draw (the caller closes it), and the seconds that it took to make it again.

        ``lend``: the file says where they lie on the device. Whoever it is for has read them before the next request,
        or, where that is for a draw ``beside`` this one, before the one after.
        """
        made, fds = self.request("draw", seed=seed, kind=kind, lend=lend, beside=beside)
        return fds[0], made["seconds"]

    def open(
        self, problem: Problem, *, seed: int, cache: str, draw_bytes: int, timeout: float = 600.0
    ) -> dict[str, Any]:
        """Load the problem in the process. Its bulk travels beside the message."""
        fd = anonymous_file("problem")
        try:
            write_all(fd, problem.payload, 0)
            record = problem.model_copy(update={"payload": b""}).model_dump(mode="json")
            return self.ask(
                "open", (fd,), timeout=timeout, platform=self.platform, problem=record, seed=seed, cache=cache,
                draw_bytes=draw_bytes, gate=self._gate_folder,
            )  # fmt: skip
        finally:
            os.close(fd)

    def _last_words(self) -> str:
        code = self._process.wait(5.0) if self._process.poll() is None else self._process.returncode
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        if code < 0:
            return f"signal {signal.Signals(-code).name}"
        return lines[-1] if lines else f"exit status {code}"

    def close(self) -> None:
        self._channel.close()
        self._waiting.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()
