"""Large texts as files named by the SHA-256 of their bytes.

A file appears under its name only when it is complete and on disk (written to a temporary name, fsync, rename, fsync of
the folder), so a row that names a digest can always be read back, whatever happened to the process that wrote it.
"""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from kernelwright.store.errors import NotStoredError, StoreError

_TEMPORARY = ".tmp-"
_ABANDONED_SECONDS = 24 * 3600.0


class Texts:
    """A folder of immutable contents. Safe to use from several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()

    def put(self, content: bytes) -> str:
        """Write ``content`` if it is not there yet; its SHA-256, hex."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if path.exists():
            return digest
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync_folder(self._folder)
        handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes stored under ``digest``.

        Raises ``NotStoredError`` where there are none, ``StoreError`` where the file was changed afterwards.
        """
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise NotStoredError(f"no text {digest} in {self._folder}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise StoreError(f"{self._path(digest)} is damaged: its content does not match its name")
        return content

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]

    def _remove_abandoned(self) -> None:
        """Temporary files of processes that were killed; a day old, so that no living writer loses one."""
        for path in self._folder.glob(f"*/{_TEMPORARY}*"):
            with suppress(FileNotFoundError):  # another process cleans up too
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut; folders cannot be opened on Windows."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
