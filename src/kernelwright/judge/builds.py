"""Compiled parts of candidates, kept from one judgement to the next.

A candidate that is judged again (a run goes on, a suite runs once more, deployment takes a second look) need not be
built again. What must never happen is that a process loads a binary that another candidate made. So:

- An entry belongs to one candidate: it is named by the digest of the candidate's text, and by everything else that
  goes into a build (the machine, its device, compilers, versions, paths). Another text never sees it.
- Only the judge writes entries, and only for candidates of built-in authors, once their verdict is ``correct``. What a
  hostile candidate leaves in its folders goes away with its process, and it is not even given its own builds again.
- An entry travels as a sealed copy in an anonymous file, which the candidate's process unpacks into its own directory:
  nothing is shared, nothing can be written back.

There is no second level, by kernel, that several candidates would share: texts of built-in authors hold code of the
problem, so what runs in them is not beyond doubt; and kernels of two candidates rarely agree in every constant.

Entries lie in ``$KERNELWRIGHT_HOME/cache/builds/<digest>/<key>``, one file each, written under another name and renamed
once whole, with a checksum in front: a crash leaves a file that the next clean-up removes. When they come to more than
``MOST_BYTES`` together, those that were used longest ago go.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright.home import home
from kernelwright.judge.files import anonymous_file, seal, write_all
from kernelwright.judge.isolation import NoSandbox, Sandbox
from kernelwright.judge.worker import built
from kernelwright.platforms import cuda_toolkit
from kernelwright.platforms.cpu_facts import model_name

if TYPE_CHECKING:
    from kernelwright.judge.nursery import Worker

_log = logging.getLogger(__name__)

MOST_BYTES = 4 << 30
"""All entries together."""
TAKE_SECONDS = 30.0
"""In which a process must hand over what it built."""
STALE_SECONDS = 3600.0
"""An unfinished entry of this age was left by a crash."""
_CHUNK = 1 << 24
_UNFINISHED = ".unfinished-"
_VERSION_SECONDS = 10.0


def folder() -> Path:
    """``$KERNELWRIGHT_HOME/cache/builds``, by default ``~/.kernelwright/cache/builds``."""
    return home() / "cache" / "builds"


def machine_key(platform_name: str, device: str, sandbox: Sandbox) -> str:
    """A name for everything but the candidate's text that goes into what is built."""
    parts = (
        platform_name,
        device,
        model_name(),
        platform.machine(),
        sys.version,
        sys.prefix,
        sandbox.kind.value,
        sandbox.scratch(folder()),
        *(_package(name) for name in ("torch", "triton", "kernelwright")),
        *(_compiler(name) for name in (os.environ.get("CXX", "c++"), "cc", str(cuda_toolkit.nvcc() or ""))),
        str(cuda_toolkit.home()),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def kept_builds(digest: str, key: str, sandbox: Sandbox) -> "KeptBuilds | None":
    """For one judgement of a candidate that is vouched for; ``None`` where nothing can be kept.

    What is built holds paths of the directory that it was built in. Cells have the same one each time. Without a
    sandbox the candidate gets one below ``folder()``, for as long as no other process judges the same text. Seatbelt's
    differ each time.
    """
    entry = folder() / digest / key
    if sandbox.namespaces:
        return KeptBuilds(entry)
    if not isinstance(sandbox, NoSandbox) or " " in str(folder()):  # load_inline cannot build in such a place
        return None
    try:
        return KeptBuilds(entry, _Held(folder() / "live" / digest))
    except OSError as error:
        _log.info("builds of %s cannot be kept: %s", digest[:16], error)
        return None


class KeptBuilds:
    """One candidate's builds, from before its process imports it until its verdict is known. Close it."""

    def __init__(self, entry: Path, held: "_Held | None" = None):
        self._entry = entry
        self._held = held
        self._fd = _checked_copy(entry)

    @property
    def found(self) -> bool:
        """Whether it was built before."""
        return self._fd is not None

    def handed_over(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        """What goes with the request to import the candidate."""
        directory = str(self._held.path) if self._held else None
        return {"builds": {"directory": directory}}, (self._fd,) if self._fd is not None else ()

    def keep(self, worker: "Worker") -> None:
        """Take what the process built since; only after a verdict ``correct``. Raises ``Stopped`` for its end."""
        worker.extend(TAKE_SECONDS)
        _, fds = worker.request("built")
        try:
            if len(fds) == 1:
                _write(self._entry, fds[0])
                _trim(folder())
        except OSError as error:  # a full disk, a place that cannot be written: it is built again next time
            _log.info("builds were not kept: %s", error)
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._held is not None:
            self._held.close()


class _Held:
    """An empty directory of this name that no other process uses meanwhile. Raises ``OSError`` where there is none."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._fd), path.lstat()):
                raise FileNotFoundError(f"{path} was removed meanwhile")
            for left in path.iterdir():  # by a process that crashed
                shutil.rmtree(left)
        except OSError:
            os.close(self._fd)
            raise

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._fd)


def _checked_copy(entry: Path) -> int | None:
    """A sealed copy of an entry's content; ``None`` where there is none. A damaged one is removed."""
    begin, offset, seen = hashlib.sha256().digest_size, 0, hashlib.sha256()
    try:
        with entry.open("rb") as file, contextlib.ExitStack() as unfinished:
            copy = anonymous_file("builds")
            unfinished.callback(os.close, copy)
            expected = file.read(begin)
            while part := file.read(_CHUNK):
                write_all(copy, part, offset)
                seen.update(part)
                offset += len(part)
            if seen.digest() != expected:
                entry.unlink(missing_ok=True)
                return None
            seal(copy)
            os.utime(entry)
            unfinished.pop_all()
            return copy
    except OSError:
        return None


def _write(entry: Path, fd: int) -> None:
    """From a file of the candidate's process: bytes, of which only how many there are matters here."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= built.MOST_BYTES + _CHUNK:
        return
    entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=entry.parent)
    try:
        seen, offset, begin = hashlib.sha256(), 0, hashlib.sha256().digest_size
        while offset < status.st_size and (part := os.pread(fd, min(_CHUNK, status.st_size - offset), offset)):
            write_all(temporary, part, begin + offset)
            seen.update(part)
            offset += len(part)
        write_all(temporary, seen.digest(), 0)
        Path(name).replace(entry)
    finally:
        os.close(temporary)
        Path(name).unlink(missing_ok=True)  # nothing is there after the rename


def _trim(place: Path, most: int | None = None) -> None:
    """Down to three quarters of ``most`` bytes where there are more, and no leavings of crashes."""
    most = MOST_BYTES if most is None else most
    for path in place.glob("live/*"):
        with contextlib.suppress(OSError):  # somebody builds there
            if path.lstat().st_mtime < time.time() - STALE_SECONDS:
                _Held(path).close()
    found: list[tuple[float, int, Path]] = []
    for path in place.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # another process trims too
            entry = path.lstat()
            if not stat.S_ISREG(entry.st_mode):
                continue
            if path.name.startswith(_UNFINISHED):
                if entry.st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()
            else:
                found.append((entry.st_mtime, entry.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= most:
        return
    for _, size, path in sorted(found):
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there may be others of the same candidate
            path.parent.rmdir()
        total -= size
        if total <= most * 3 // 4:
            return


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def _compiler(name: str) -> str:
    """Where it is and what it says of itself; empty where there is none."""
    path = shutil.which(name)
    if path is None:
        return ""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return f"{os.path.realpath(path)}\n{said}"
