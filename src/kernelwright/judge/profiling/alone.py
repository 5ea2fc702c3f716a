"""Starts one candidate under an outer tool, in the sandbox, with everything it needs on its standard input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kernelwright.judge.files import anonymous_file, write_all
from kernelwright.judge.isolation import Sandbox
from kernelwright.judge.nursery import worker_environment

SAID_BYTES = 8 << 20
FILE_BYTES = 256 << 20
_CHUNK = 1 << 24


@dataclass(frozen=True)
class Order:
    """What the child is to do."""

    source: str
    name: str
    seed: int
    platform: str
    range: str
    """``cuda``, ``metal`` or ``none``: what the outer tool looks at."""
    calls: int
    trace: str = ""
    """Where a capture of Metal's commands goes, inside of its private directory."""


@dataclass(frozen=True)
class Finished:
    """How it ended. Both texts may come from the candidate."""

    status: int | None
    """Exit status; ``None`` when it was ended after ``seconds``."""
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip()[:300] if lines else "it said nothing"


@contextmanager
def private_directory(sandbox: Sandbox) -> Generator[Path]:
    """A directory for the child, removed afterwards; a sandbox that has one of its own uses that."""
    made = Path(tempfile.mkdtemp(prefix="kernelwright-alone-"))
    try:
        yield Path(sandbox.scratch(made))
    finally:
        shutil.rmtree(made, ignore_errors=True)


def run(
    order: Order,
    parts: Sequence[int],
    sandbox: Sandbox,
    directory: Path,
    *,
    tool: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    seconds: float,
) -> Finished:
    """``tool`` is put in front of the interpreter. ``parts``: files with the construction and the inputs."""
    variables = worker_environment(str(directory)) | dict(environment or {})
    argv = [*tool, sys.executable, "-m", "kernelwright.judge.worker.alone"]
    command = sandbox.command(argv, variables, gpu=order.platform == "cuda", dies_with_parent=True)
    given = _packed(order, parts, seconds)
    try:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command,
                stdin=given,
                stdout=output,
                stderr=errors,
                env=variables,
                start_new_session=True,
                cwd=directory if directory.is_dir() else "/",  # a sandbox's own lies elsewhere
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end(process)
            return Finished(status, _said(output.fileno()), _said(errors.fileno()))
    finally:
        os.close(given)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The whole group: what a tool has started does not outlive it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group that is gone
        return
    finally:
        process.wait()


def _said(fd: int) -> str:
    size = os.fstat(fd).st_size
    return os.pread(fd, SAID_BYTES, max(0, size - SAID_BYTES)).decode(errors="replace")


def _packed(order: Order, parts: Sequence[int], seconds: float) -> int:
    """A file whose reader gets the length of the order, the order as JSON, then the bytes of each part."""
    sizes = [os.fstat(part).st_size for part in parts]
    fields = {name: getattr(order, name) for name in Order.__dataclass_fields__}
    bounds = {"sizes": sizes, "file_bytes": FILE_BYTES, "cpu_seconds": int(seconds * 64) + 60}
    head = json.dumps(fields | bounds).encode()
    fd = anonymous_file("order")
    at = len(head) + 8
    write_all(fd, len(head).to_bytes(8, "little") + head, 0)
    for part, size in zip(parts, sizes, strict=True):
        for offset in range(0, size, _CHUNK):
            write_all(fd, os.pread(part, min(_CHUNK, size - offset), offset), at + offset)
        at += size
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
