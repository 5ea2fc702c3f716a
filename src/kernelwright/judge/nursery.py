"""The judge's side of the sandbox: start warm parents, get candidates' processes from them, watch and end them."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

from kernelwright.home import home
from kernelwright.judge.builds import KeptBuilds
from kernelwright.judge.channel import Channel, ChannelClosed, ChannelCorrupt, ChannelTimeout
from kernelwright.judge.files import ALLOCATOR
from kernelwright.judge.findings import Stopped, stop
from kernelwright.judge.gate import DeviceGate, Gate, OpenGate, WaitingTime
from kernelwright.judge.isolation import NoSandbox, Sandbox, cell_layers
from kernelwright.judge.worker.built import CACHES
from kernelwright.platforms import cuda_toolkit
from kernelwright.schema import IsolationLayer, Status

START_SECONDS = 120.0
OUTPUT_BYTES = 16_000
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_HOME", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
             "CUDA_VISIBLE_DEVICES", "KERNELWRIGHT_CXX", "CXX")  # fmt: skip


STAGES = {
    "load": "import",
    "construct": "construction",
    "room": "forward",
    "run": "forward",
    "warm": "timing",
    "go": "timing",
    "count": "profiling",
    "watch": "profiling",
}
"""What the author calls the part of a candidate's life that a request stands for."""
NEEDS_NO_DEVICE = frozenset({"hello", "gate", "load", "room", "artifacts", "built"})
"""Requests that are made outside the gate: importing a candidate compiles, and uses the device little or not."""
GATED_THERE = frozenset({"construct", "run", "again", "trace", "store"})
"""Requests that take long without the device: a process that was handed the gate passes it for the rest of them."""
LONGEST_WAIT = 3600.0
"""Seconds before the gate, all together, that are believed of a process."""
CALLS = frozenset({"run", "trace"})
"""Requests whose answer says how long the candidate's own calls took."""


def worker_environment(scratch: str) -> dict[str, str]:
    """The whole environment of a candidate: an allow-list, and every cache in its private directory."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    # the environment's own programs (ninja among them) come first, as they do in an activated environment
    environment["PATH"] = f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}"
    environment |= cuda_toolkit.environment(environment)
    return environment | {
        "HOME": scratch,
        "TMPDIR": scratch,
        "USER": "candidate",
        "LOGNAME": "candidate",
        **ALLOCATOR,
        "KERNELWRIGHT_HOME": str(home()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p and Path(p).is_dir()),
        **{variable: f"{scratch}/{folder}" for variable, folder in CACHES.items()},
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        # they lie outside of every cache: each process would make them, which takes longer than its few kernels save
        "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0",
    }


def _bounds(memory_limit: int, process_limit: int, time_limit: float) -> dict[str, int]:
    """What the warm parent and the kernel hold a process to."""
    return {
        "memory_bytes": memory_limit,
        "file_bytes": max(memory_limit, 1 << 30),
        "max_processes": process_limit,
        "scratch_bytes": min(2 << 30, memory_limit // 2),
        "cpu_seconds": int(time_limit * 64) + 60,
    }


class _Tail:
    """Reads a pipe in the background and keeps its last bytes, so that a flood of prints costs nothing."""

    def __init__(self, fd: int):
        self._fd = fd
        self._parts: deque[bytes] = deque()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        size = 0
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            self._parts.append(data)
            size += len(data)
            while size - len(self._parts[0]) > OUTPUT_BYTES:
                size -= len(self._parts.popleft())
        os.close(self._fd)

    def text(self, wait: float = 0.2) -> str:
        self._thread.join(wait)
        return b"".join(list(self._parts)).decode(errors="replace")[-OUTPUT_BYTES:]


def _lacks_memory(reply: dict[str, Any]) -> bool:
    error = reply.get("error")
    return isinstance(error, dict) and error.get("type") == "OutOfMemoryError"


class Worker:
    """One candidate's process. Requests raise ``Stopped`` when it dies, hangs or breaks the protocol."""

    def __init__(self, nursery: "Nursery", number: int, channel: Channel, output: _Tail, gate: Gate):
        self._nursery = nursery
        self._number = number
        self._channel = channel
        self._output = output
        self._ids = itertools.count(1)
        self._gate = gate
        self._called = False
        self._waiting: WaitingTime | None = None
        """How long the process waits before the gate, where it was handed it."""
        self.lends = False
        """Whether tensors stay on the device between this process and the reference's."""
        self.builds: KeptBuilds | None = None
        """What earlier processes of the same candidate compiled, where it is vouched for."""
        self.extend(START_SECONDS)
        self.start_seconds = 0.0
        """How long the judge waited for this process to be there."""
        self.waited = 0.0
        """Wall seconds spent waiting for this process, everything inside it included."""
        self._last_wait = 0.0

    def extend(self, seconds: float) -> None:
        """A new deadline from now: timing has its own budget. Waiting for the device does not count."""
        self._deadline = time.monotonic() - self._all_waiting + seconds

    @property
    def _all_waiting(self) -> float:
        """Seconds before the gate so far: the judge's, and those of the process itself."""
        return self._gate.waited + self.waited_before_gate

    @property
    def waited_before_gate(self) -> float:
        """Seconds that the process itself has waited before the gate, by its own word; known after its end too."""
        return min(self._waiting.seconds, LONGEST_WAIT) if self._waiting is not None else 0.0

    def hand_gate(self) -> None:
        """Let the process pass the gate itself in requests of ``GATED_THERE``: only for one that is vouched for.

        It must not be asked for those while the judge is inside. Raises ``Stopped``.
        """
        if not isinstance(self._gate, DeviceGate):
            return
        passed_on, waiting = self._gate.descriptors(), WaitingTime()
        try:
            self.ask("gate", (*passed_on, waiting.fd))
        except BaseException:
            waiting.close()
            raise
        finally:
            for fd in passed_on:  # a lock would be held for as long as anybody had its file open
                os.close(fd)
        self._waiting = waiting

    def request(self, op: str, fds: tuple[int, ...] = (), **arguments: Any) -> tuple[dict[str, Any], list[int]]:
        """Ask and wait. The reply may hold ``error``; descriptors that come back are the caller's to close."""
        gated_there = self._waiting is not None and op in GATED_THERE
        assert not (gated_there and self._gate.inside), "the process would wait for the judge, and the judge for it"
        if gated_there or op in NEEDS_NO_DEVICE:
            return self._counted(op, fds, arguments)
        with self._gate.shared():
            reply, out = self._counted(op, fds, arguments)
            in_company = self._gate.in_company
        if in_company and _lacks_memory(reply):  # the memory may be with others
            with self._gate.alone():
                return self._counted(op, fds, arguments)
        return reply, out

    def _counted(self, op: str, fds: tuple[int, ...], arguments: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """The request, and for how long the device worked for it."""
        reply, out = self._request(op, fds, arguments)
        seconds = reply.get("seconds")
        if op in CALLS and isinstance(seconds, float):
            if self._called:  # the first call compiles: that is no work of the device
                self._gate.used(min(max(0.0, seconds), self._last_wait))
            self._called = True
        return reply, out

    def _request(self, op: str, fds: tuple[int, ...], arguments: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        number = next(self._ids)
        during = STAGES.get(op, op)
        began = time.monotonic()
        try:
            self._channel.send({"op": op, "id": number, **arguments}, fds)
            if self._waiting is not None and op in GATED_THERE:
                reply, out = self._channel.receive_within(self._seconds_left)
            else:
                reply, out = self._channel.receive(max(0.0, self._deadline + self._all_waiting - began))
        except ChannelTimeout:
            raise stop(
                Status.TIMED_OUT,
                "time_limit",
                f"the candidate did not answer in time (during {during}). {self._said()}",
            ) from None
        except ChannelClosed:
            raise self._post_mortem(during) from None
        except ChannelCorrupt as error:
            raise stop(
                Status.REJECTED, "protocol", f"the candidate wrote {error} on the judge's channel (during {during})"
            ) from None
        finally:
            self._last_wait = time.monotonic() - began
            self.waited += self._last_wait
        if reply.get("id") != number:
            for fd in out:
                os.close(fd)
            raise stop(Status.REJECTED, "protocol", f"an answer that nobody asked for came (during {during})")
        return reply, out

    def _seconds_left(self) -> float:
        return self._deadline + self._all_waiting - time.monotonic()

    def ask(self, op: str, fds: tuple[int, ...] = (), **arguments: Any) -> dict[str, Any]:
        """A request whose answer carries no descriptors and whose error the caller looks at."""
        reply, out = self.request(op, fds, **arguments)
        for fd in out:
            os.close(fd)
        return reply

    def load(self, source: str, **arguments: Any) -> tuple[dict[str, Any], tuple[int, ...]]:
        """The arguments of the request that imports a candidate, and the descriptors that go with it."""
        builds, fds = self.builds.handed_over() if self.builds is not None else ({}, ())
        return {"source": source, **arguments, **builds}, fds

    def keep_builds(self) -> None:
        """What it compiled need not be compiled again. Ask this of a candidate that turned out correct."""
        if self.builds is not None:
            with contextlib.suppress(Stopped):  # its verdict is known: a late end of its process changes nothing
                self.builds.keep(self)

    def cpu_seconds(self) -> float:
        """CPU time that all processes of this candidate have used so far, as the warm parent counts it."""
        return float(self._nursery.call({"op": "usage", "cell": self._number})["cpu_seconds"])

    def printed(self) -> str:
        return self._output.text()

    def _said(self) -> str:
        text = self._output.text().strip()
        return f"It had printed:\n{text[-2000:]}" if text else "It had printed nothing."

    def _post_mortem(self, during: str) -> Stopped:
        end = self._nursery.call({"op": "status", "cell": self._number, "wait": 2.0}, 30.0)
        if end["killed"] == "memory":
            return stop(
                Status.OUT_OF_MEMORY, "memory_limit", f"the candidate used more memory than allowed (during {during})"
            )
        if end["killed"] == "processes":
            return stop(Status.REJECTED, "process_limit", f"the candidate started too many processes (during {during})")
        status = end["status"]
        if status is None:
            how = "closed its channel without ending"
        elif os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return stop(Status.TIMED_OUT, "cpu_limit", f"the candidate used up its CPU time (during {during})")
            how = f"was ended by signal {number} ({signal.Signals(number).name})"
        else:
            how = f"ended by itself with exit status {os.WEXITSTATUS(status)}"
        return stop(Status.CRASHED, "process_ended", f"the candidate's process {how} (during {during}). {self._said()}")

    def close(self) -> None:
        """End the cell and everything in it."""
        self._channel.close()
        self._nursery.ended(self._number)
        if self._waiting is not None:
            self._waiting.close()
        if self.builds is not None:
            self.builds.close()


class Nursery:
    """Warm parents for one platform. ``spawn`` gives a fresh process for one candidate, in milliseconds."""

    def __init__(self, sandbox: Sandbox, platform: str, gate: Gate | None = None):
        self.sandbox = sandbox
        self._gate = gate or OpenGate()
        self.platform = platform
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        self._namespaces = False
        self.layers: tuple[IsolationLayer, ...] = ()
        """What isolates a candidate here; known when the warm parent is ready."""
        self._directory = Path(tempfile.mkdtemp(prefix="kernelwright-"))
        self._cell_directories: dict[int, Path] = {}
        self._ready = False
        self._unanswered = 0
        self._next: tuple[dict[str, int], Worker] | None = None
        self._start()

    def _start(self) -> None:
        """Begin warming up; ``_await_ready`` waits for the end of it."""
        ours, theirs = Channel.pair()
        scratch = self.sandbox.scratch(self._directory)
        argv = [sys.executable, "-m", "kernelwright.judge.worker.zygote", str(theirs.fileno()),
                "1" if self.sandbox.namespaces else "0", self.platform]  # fmt: skip
        environment = worker_environment(scratch)
        command = self.sandbox.command(argv, environment, gpu=self.platform != "cpu")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, start_new_session=True, cwd=self._directory,
        )  # fmt: skip
        theirs.close()
        self._control = ours
        self._ready = False

    def await_ready(self) -> None:
        """Wait until torch is imported. Raises ``RuntimeError`` with what the sandbox said when it did not come up."""
        if self._ready:
            return
        assert self._control is not None
        try:
            reply, _ = self._control.receive(START_SECONDS)
        except (ChannelClosed, ChannelTimeout):
            raise RuntimeError(f"the sandbox did not start: {self._last_words()}") from None
        self._namespaces = bool(reply["namespaces"])
        self.layers = (*self.sandbox.layers, *cell_layers(namespaces=self._namespaces, seccomp=bool(reply["seccomp"])))
        self._ready = True

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def call(self, message: dict[str, Any], timeout: float = 30.0) -> dict[str, Any]:
        """Ask the warm parent."""
        assert self._control is not None
        self._settle()
        self._control.send(message)
        reply, _ = self._control.receive(timeout)
        return reply

    def spawn(self, *, memory_limit: int, process_limit: int, time_limit: float, counters: bool = False) -> Worker:
        """A process that held no other candidate. The next one is forked meanwhile, so that nobody waits for it.

        ``counters``: with hardware counters, which cannot be opened later.
        """
        self.await_ready()
        began = time.monotonic()
        bounds = _bounds(memory_limit, process_limit, time_limit) | {"counters": counters}
        worker = self._take_next(bounds)
        if worker is None:
            worker = self._fork(bounds)
            worker.ask("hello")
        worker.extend(time_limit)
        worker.start_seconds = time.monotonic() - began
        if self._namespaces:
            self._next = (bounds, self._fork(bounds))
        return worker

    def _take_next(self, bounds: dict[str, int]) -> Worker | None:
        """The process that was forked ahead, where it is alive and has these bounds."""
        ahead, self._next = self._next, None
        if ahead is None:
            return None
        made_with, worker = ahead
        if made_with == bounds:
            with contextlib.suppress(Stopped):  # it ended before it held a candidate: another one takes its place
                worker.ask("hello")
                return worker
        worker.close()
        return None

    def _fork(self, bounds: dict[str, int]) -> Worker:
        """Ask for a process; it answers its first request as soon as it is up."""
        assert self._control is not None
        number = next(self._numbers)
        ours, theirs = Channel.pair()
        read_end, write_end = os.pipe()
        directory = self.sandbox.scratch(self._directory)
        if not self._namespaces and isinstance(self.sandbox, NoSandbox):
            own = self._directory / str(number)
            own.mkdir()
            self._cell_directories[number] = own
            directory = str(own)
        self._control.send(
            {"op": "spawn", "cell": number, "platform": self.platform, "directory": directory, **bounds},
            (theirs.fileno(), write_end),
        )
        self._unanswered += 1
        theirs.close()
        os.close(write_end)
        return Worker(self, number, ours, _Tail(read_end), self._gate)

    def _settle(self) -> None:
        """Take the answers that nobody waited for."""
        while self._unanswered and self._control is not None:
            self._control.receive(START_SECONDS)
            self._unanswered -= 1

    def ended(self, number: int) -> None:
        """A candidate is done with: kill what is left of it, and replace a sandbox that cannot be used twice."""
        assert self._control is not None
        self._settle()
        self._control.send({"op": "kill", "cell": number})
        self._unanswered += 1  # nobody waits for a dead candidate's namespaces to be taken down
        if (directory := self._cell_directories.pop(number, None)) is not None:
            self._settle()
            shutil.rmtree(directory, ignore_errors=True)
        if not self._namespaces and not isinstance(self.sandbox, NoSandbox):
            self._stop()
            self._start()

    def _stop(self) -> None:
        if self._next is not None:
            self._next[1].close()
            self._next = None
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._log.close()
        self._process = self._control = None
        self._unanswered = 0

    def close(self) -> None:
        self._stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: tuple[type[BaseException] | None, BaseException | None, TracebackType | None]) -> None:
        self.close()
