"""Compiled Metal on disk, named after the content it was made from. Imports no torch.

Everything lies below ``$KERNELWRIGHT_HOME/cache/metal`` (by default ``~/.kernelwright/cache/metal``). An entry is a
folder that is filled under a temporary name and renamed once it is whole, so that other processes see all of it or
nothing. Where the place cannot be written, as in a sandbox, what is there is still used, and new entries go to a
folder that ends with the process.
"""

import atexit
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from kernelwright.home import home

_log = logging.getLogger(__name__)

MOST_ENTRIES = 4096
"""How many entries of one kind are kept; past that the half that was used longest ago goes."""


def folder() -> Path:
    """``$KERNELWRIGHT_HOME/cache/metal``, by default ``~/.kernelwright/cache/metal``."""
    return home() / "cache" / "metal"


def shared() -> tuple[Path, ...]:
    """Where the entries lie that all programs share and that hold nothing of a user's: a sandbox may show them."""
    places = tuple(folder() / kind for kind in ("runtime", "prelude"))
    return tuple(place for place in places if _can_write(place) or place.is_dir())


def key(*parts: object) -> str:
    """A name for the content that these parts determine."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:32]


def entry(kind: str, name: str, make: Callable[[Path], None], *, once: bool = False) -> Path:
    """The folder ``kind/name``; ``make`` fills a new one, and whatever it raises passes through.

    ``once``: worth waiting for another process that is making the same entry. Without it two processes may both make
    it, and one of the two equal results is thrown away.
    """
    kept = folder() / kind
    if (kept / name).is_dir():
        _touch(kept / name)
        return kept / name
    place = kept if _can_write(kept) else _own_folder(os.getpid()) / kind
    place.mkdir(parents=True, exist_ok=True)
    with _lock(place / f"{name}.lock") if once else _no_lock():
        if not (place / name).is_dir():
            _fill(place / name, make)
    return place / name


def _fill(target: Path, make: Callable[[Path], None]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        make(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was quicker, and its entry is as good
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # nothing is there after the rename
    _trim(target.parent)


@cache
def _can_write(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError as error:
        _log.info("compiled Metal cannot be kept in %s: %s", place, error)
        return False


@cache
def _own_folder(process: int) -> Path:
    """A folder of this process alone; a forked child makes its own, and leaves its parent's when it ends."""
    made = Path(tempfile.mkdtemp(prefix="kernelwright-metal-"))

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    return made


@contextmanager
def _lock(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _no_lock() -> Generator[None]:
    yield


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # read-only: nothing is trimmed there either
        return


def _trim(place: Path) -> None:
    """Programs that are loaded stay usable: their file lives until the last process lets go of it."""
    found = [item for item in os.scandir(place) if item.is_dir() and not item.name.startswith(".")]
    if len(found) > MOST_ENTRIES:
        for item in sorted(found, key=_last_used)[: MOST_ENTRIES // 2]:
            shutil.rmtree(item.path, ignore_errors=True)


def _last_used(item: "os.DirEntry[str]") -> float:
    try:
        return item.stat().st_mtime
    except FileNotFoundError:  # another process trims too
        return 0.0
