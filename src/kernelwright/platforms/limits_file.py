"""Measured limits on disk: one JSON file per device, torch version and thread count."""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from kernelwright.home import home
from kernelwright.schema import DeviceLimits

_log = logging.getLogger(__name__)


def folder() -> Path:
    """``$KERNELWRIGHT_HOME/limits``, by default ``~/.kernelwright/limits``."""
    return home() / "limits"


def cached(key: tuple[str, ...], measure: Callable[[], DeviceLimits], refresh: bool = False) -> DeviceLimits:
    """What was stored under ``key``, or a new measurement, which is then stored.

    ``refresh`` measures again and keeps the better of each figure: a device does not get faster than it is, and a
    measurement on a busy machine shows less. A file that cannot be read is measured anew; a folder that cannot be
    written costs a measurement each time.
    """
    text = "\n".join(key)
    slug = "".join(c if c.isalnum() else "-" for c in key[0].lower()).strip("-")[:40]
    path = folder() / f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    stored = _read(path)
    if stored is not None and not refresh:
        return stored
    limits = measure() if stored is None else _better(stored, measure())
    try:
        _write(path, limits.model_dump_json(indent=2))
    except OSError as error:
        _log.warning("measured limits cannot be stored under %s: %s", path, error)
    return limits


def _read(path: Path) -> DeviceLimits | None:
    try:
        return DeviceLimits.model_validate_json(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        _log.warning("stored limits %s cannot be read, measuring again: %s", path, error)
        return None


def _better(a: DeviceLimits, b: DeviceLimits) -> DeviceLimits:
    dtypes = a.matmul_flops.keys() | b.matmul_flops.keys()
    return DeviceLimits(
        bandwidth=max(a.bandwidth, b.bandwidth),
        peak_bandwidth=max(a.peak_bandwidth, b.peak_bandwidth),
        matmul_flops={d: max(a.matmul_flops.get(d, 0.0), b.matmul_flops.get(d, 0.0)) for d in sorted(dtypes)},
        launch_seconds=min(a.launch_seconds, b.launch_seconds),
        measured_on=b.measured_on,
    )


def _write(path: Path, text: str) -> None:
    """Whole or not at all: other processes may read at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
