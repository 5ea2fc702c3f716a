"""The warm parent: torch is imported once, and each candidate gets a fork of it that never held another candidate.

Runs single-threaded inside the sandbox, holds no problem, no reference and no device context, and answers four
requests of the judge: ``spawn``, ``usage``, ``kill`` and ``status``. While a cell lives it is watched: too much
memory or too many processes, and the whole cell is killed.
"""

import gc
import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from kernelwright import platforms
from kernelwright.judge.channel import Channel, ChannelClosed, readable
from kernelwright.judge.worker import cell
from kernelwright.judge.worker.counters import HardwareCounters
from kernelwright.judge.worker.processes import Usage, descendants_memory, descendants_usage

WATCH_SECONDS = 0.05
TASKS_PER_PROCESS = 16
"""Threads come to this many for each process that a candidate may have: thread pools have one for each core."""


@dataclass
class Cell:
    """One living candidate: the outermost process we forked, and where its end will be reported."""

    pid: int
    status_fd: int
    memory_bytes: int
    max_processes: int
    killed: str | None = None


class Zygote:
    def __init__(self, control: Channel, *, namespaces: bool):
        self.control = control
        self.namespaces = namespaces
        self.seccomp = False
        self.cells: dict[int, Cell] = {}

    def serve(self) -> None:
        """Answer until the judge closes the connection."""
        granted = cell.tried(namespaces=self.namespaces)
        self.namespaces, self.seccomp = granted.namespaces, granted.seccomp
        self.control.send({"op": "ready", "pid": os.getpid(), **granted._asdict()})
        while True:
            if not self.control.ready(WATCH_SECONDS if self.cells else None):
                self.watch()
                continue
            try:
                message, fds = self.control.receive()
            except ChannelClosed:
                for number in list(self.cells):
                    self.kill(number, "closed")
                return
            try:
                self.control.send(getattr(self, "on_" + message["op"])(message, fds))
            finally:
                for fd in fds:
                    os.close(fd)

    def on_spawn(self, message: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """Fork a candidate's process; ``fds`` are its channel and its output pipe."""
        channel_fd, output_fd = fds
        read_end, write_end = os.pipe()
        number = message["cell"]
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            _candidate_main(self, message, channel_fd, output_fd, write_end)
        os.close(write_end)
        self.cells[number] = Cell(pid, read_end, message["memory_bytes"], message["max_processes"])
        return {"op": "spawned", "pid": pid}

    def on_usage(self, message: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        found = self.cells.get(message["cell"])
        used = descendants_usage(found.pid) if found else Usage(0, 0.0, 0)
        return {"cpu_seconds": used.cpu_seconds, "resident": used.resident, "processes": used.processes}

    def on_kill(self, message: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        return self.kill(message["cell"], "ended")

    def on_status(self, message: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        """How a cell ended, waiting up to ``wait`` seconds for it; kills what is still there after that."""
        found = self.cells.get(message["cell"])
        if found is not None and found.killed is None:
            readable(found.status_fd, message["wait"])
        return self.kill(message["cell"], "ended")

    def kill(self, number: int, reason: str) -> dict[str, Any]:
        """End a cell and everything in it. Answers with its exit status, where it ended by itself before."""
        found = self.cells.pop(number, None)
        if found is None:
            return {"killed": None, "status": None}
        status = os.read(found.status_fd, 4) if readable(found.status_fd, 0) else b""
        self._destroy(found)
        os.close(found.status_fd)
        ended = int.from_bytes(status, "little", signed=True) if len(status) == 4 else None
        return {"killed": found.killed or (None if ended is not None else reason), "status": ended}

    def _destroy(self, found: Cell) -> None:
        """Kill the outer process and its group; with namespaces the kernel takes the rest along."""
        for send in (os.killpg, os.kill):
            try:
                send(found.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it is gone already, which is what was wanted
        try:
            os.waitpid(found.pid, 0)
        except ChildProcessError:
            return
        while True:  # orphans that came to us as their subreaper
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return

    def watch(self) -> None:
        """Kill every cell that is over its bounds. The cell stays listed until the judge asks what became of it."""
        if sys.platform != "linux":
            return
        for found in self.cells.values():
            if found.killed is None:
                used = descendants_usage(found.pid)
                if used.processes > found.max_processes:
                    found.killed = "processes"
                elif used.resident > found.memory_bytes and descendants_memory(found.pid) > found.memory_bytes:
                    found.killed = "memory"  # resident memory counts what is shared with us many times over
                if found.killed:
                    os.kill(found.pid, signal.SIGKILL)


def _candidate_main(zygote: Zygote, message: dict[str, Any], channel_fd: int, output_fd: int, status_fd: int) -> None:
    """In the fork: become a cell, then serve one candidate. Never returns."""
    try:
        zygote.control.close()
        os.setsid()
        cell.die_with_parent()
        for stream in (1, 2):
            os.dup2(output_fd, stream)
        devnull = os.open(os.devnull, os.O_RDONLY)
        os.dup2(devnull, 0)
        os.close(devnull)
        os.close(output_fd)
        if zygote.namespaces:
            cell.enter_namespaces(message["scratch_bytes"], message["directory"])
            inner = os.fork()
            if inner:
                os.close(channel_fd)
                os.waitpid(inner, 0)
                os._exit(0)
            cell.die_with_parent()
        keep = frozenset({channel_fd})
        cell.init_process(lambda: _serve(zygote, message, channel_fd), status_fd, keep, namespaces=zygote.namespaces)
    except BaseException as error:  # a fork must never fall back into its parent's loop
        os.write(2, f"the cell could not be set up: {error}\n".encode())
    os._exit(70)


def _serve(zygote: Zygote, message: dict[str, Any], channel_fd: int) -> None:
    from kernelwright.judge.worker.harness import Harness

    counters = HardwareCounters() if message["counters"] else None  # the filter refuses performance events
    if zygote.seccomp:
        cell.confine()
    elif sys.platform == "linux":
        cell.drop_privileges()
    cell.become_ordinary()
    tasks = TASKS_PER_PROCESS * message["max_processes"] if zygote.namespaces else None
    cell.set_limits(message["file_bytes"], message["cpu_seconds"], tasks)
    os.chdir(message["directory"])
    Harness(Channel.from_fd(channel_fd), message["platform"], message["directory"], counters).serve()


def main() -> None:
    """``python -m kernelwright.judge.worker.zygote FD NAMESPACES PLATFORM``."""
    import torch

    import kernelwright.judge.worker.harness
    import kernelwright.judge.worker.provenance

    control = Channel(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cell.protect_parent()
    # all are imported to be warm
    assert torch.__version__ and kernelwright.judge.worker.harness and kernelwright.judge.worker.provenance
    platforms.get(sys.argv[3])  # its module too; no device is touched
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page it visits
    Zygote(control, namespaces=sys.argv[2] == "1").serve()


if __name__ == "__main__":
    main()
