"""Where the wall time of a session goes: seconds by phase, with waiting before the gate apart from all of them."""

import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Phase = Literal["preparing", "building", "timing_baselines", "checking", "timing"]
WAITING = "gate"
"""What waiting before the gate is filed under, beside the phases."""


class Spent:
    """Adds up the phases of one session. One inside of another one is taken out of that.

    ``waited``: how many seconds the session has waited before the gate so far, all its processes together.
    """

    def __init__(self, waited: Callable[[], float]) -> None:
        self._waited = waited
        self._seconds: dict[str, float] = {}
        self._inner = 0.0
        """Seconds of the phases that have ended inside of the one under way."""

    @contextmanager
    def on(self, phase: Phase) -> Generator[None]:
        outer, self._inner = self._inner, 0.0
        began = self._busy()
        try:
            yield
        finally:
            took = self._busy() - began
            self._seconds[phase] = self._seconds.get(phase, 0.0) + max(0.0, took - self._inner)
            self._inner = outer + took

    def _busy(self) -> float:
        return time.monotonic() - self._waited()

    def write(self, folder: str | Path) -> None:
        """Leave it in the gate's folder, for whoever started this process. Whole or not at all."""
        path = _path(Path(folder), os.getpid())
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(self._seconds | {WAITING: self._waited()}), encoding="utf-8")
        partial.replace(path)


def spent_by(folder: str | Path, pid: int) -> dict[str, float]:
    """What a session of that process left in the gate's folder; empty where it ended before it could."""
    path = _path(Path(folder), pid)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _path(folder: Path, pid: int) -> Path:
    return folder / f"spent-{pid}.json"
