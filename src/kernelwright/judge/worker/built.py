"""What a candidate's process compiled, as one file: packed where it was built, unpacked where the same text runs again.

The file is a line that says what it is, the length of a table (8 bytes, little endian), the table (JSON: path, mode,
time of change in nanoseconds, size of each file) and the contents in the table's order. ninja decides by times of
change what is to be built, so they come back exactly. Imports no torch.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from kernelwright.judge.files import anonymous_file, write_all

CACHES = {
    "TORCH_EXTENSIONS_DIR": "extensions",
    "TRITON_CACHE_DIR": "triton",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "CUDA_CACHE_PATH": "nv",
}
"""Variables that tell compilers where to keep what they make (the last one is the NVIDIA driver's), and the folder
that each gets in a candidate's own directory."""
MAGIC = b"kernelwright builds 1\n"
MOST_BYTES = 256 << 20
"""In one file: a process that built more keeps nothing."""
MOST_FILES = 20_000
LARGEST_FILE = 64 << 20
"""Larger ones (precompiled headers) are made again sooner than they are copied."""

_NINJA = (".ninja_log", ".ninja_deps")
"""Written by every run of ninja, also one that builds nothing."""


class Unreadable(ValueError):
    """The file is not what ``pack`` wrote."""


def point_at(directory: Path) -> None:
    """Compilers that this process starts from here on keep what they make below ``directory``."""
    for variable, folder in CACHES.items():
        os.environ[variable] = str(directory / folder)


def state(directory: Path) -> frozenset[tuple[str, int, int]]:
    """Path, size and time of change of everything that was built below ``directory``."""
    found = _built(directory)
    return frozenset((name, s.st_size, s.st_mtime_ns) for name, s in found if PurePosixPath(name).name not in _NINJA)


def pack(directory: Path) -> int | None:
    """An anonymous file with everything that was built below ``directory``; the caller closes it.

    ``None`` where nothing was built, or too much.
    """
    found = list(_built(directory))
    table = [[name, stat.S_IMODE(s.st_mode), s.st_mtime_ns, s.st_size] for name, s in found]
    if not found or len(found) > MOST_FILES or sum(s.st_size for _, s in found) > MOST_BYTES:
        return None
    head = json.dumps(table).encode()
    fd = anonymous_file("builds")
    try:
        write_all(fd, MAGIC + len(head).to_bytes(8, "little") + head, 0)
        offset = len(MAGIC) + 8 + len(head)
        for name, entry in found:
            content = (directory / name).read_bytes()
            if len(content) != entry.st_size:
                raise Unreadable(f"{name} is being written to")
            write_all(fd, content, offset)
            offset += len(content)
    except BaseException:
        os.close(fd)
        raise
    return fd


def unpack(fd: int, directory: Path) -> None:
    """Everything back in its place below ``directory``. Raises ``Unreadable``, and ``OSError`` for a full disk."""
    start, table = _table(fd)
    offset = start
    for name, mode, changed, size in table:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_read(fd, size, offset))
        path.chmod(mode & 0o777)
        os.utime(path, ns=(changed, changed))
        offset += size


def clear(directory: Path) -> None:
    """Nothing was built below ``directory``."""
    for folder in CACHES.values():
        shutil.rmtree(directory / folder, ignore_errors=True)


def _built(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Plain files below the folders of ``CACHES``, by path; no links, no locks, nothing large."""
    for folder in sorted(CACHES.values()):
        for path in sorted((directory / folder).rglob("*")):
            entry = path.lstat()
            lock = path.name == "lock" or path.suffix == ".lock"
            if stat.S_ISREG(entry.st_mode) and entry.st_size <= LARGEST_FILE and not lock:
                yield path.relative_to(directory).as_posix(), entry


def _table(fd: int) -> tuple[int, list[tuple[str, int, int, int]]]:
    if _read(fd, len(MAGIC), 0) != MAGIC:
        raise Unreadable("the file holds no builds")
    length = int.from_bytes(_read(fd, 8, len(MAGIC)), "little")
    if length > MOST_BYTES:
        raise Unreadable("the table is too long")
    try:
        found: Any = json.loads(_read(fd, length, len(MAGIC) + 8))
        table = [(_name(name), int(mode), int(changed), int(size)) for name, mode, changed, size in found]
    except (ValueError, TypeError) as error:
        raise Unreadable(f"the table is broken: {error}") from None
    if len(table) > MOST_FILES or any(size < 0 for *_, size in table) or sum(t[3] for t in table) > MOST_BYTES:
        raise Unreadable("the table has impossible sizes")
    return len(MAGIC) + 8 + length, table


def _name(name: Any) -> str:
    """A path that stays inside of the folders of ``CACHES``."""
    parts = PurePosixPath(name).parts
    if len(parts) < 2 or parts[0] not in CACHES.values() or ".." in parts:
        raise Unreadable(f"no place for builds: {name!r}")
    return "/".join(parts)


def _read(fd: int, size: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = os.pread(fd, min(size, 1 << 24), offset)
        if not part:
            raise Unreadable("the file ends early")
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)
