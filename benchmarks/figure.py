"""How a figure is printed: one line, with the number of measurements and the machine it was taken on."""

import os
import platform as system
import sys
from typing import Any


def machine(device: Any = None) -> str:
    """What the figures of this process were taken on. ``device`` is a ``DeviceFacts``, where one was used."""
    parts = [device.name if device is not None else (system.processor() or system.machine())]
    parts.append(f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores")
    parts.append(f"Python {system.python_version()}")
    if "torch" in sys.modules:
        parts.append(f"torch {sys.modules['torch'].__version__}")
    return ", ".join(parts)


def figure(name: str, value: float, unit: str, n: int, where: str, *, limit: float | None = None) -> bool:
    """Print one figure. Returns whether it keeps its limit, where it has one (an upper bound)."""
    kept = limit is None or value <= limit
    bound = "" if limit is None else f", limit {limit:g} {unit}: {'kept' if kept else 'MISSED'}"
    print(f"{name} {value:.4g} {unit} (n={n}, {where}{bound})", flush=True)
    return kept
