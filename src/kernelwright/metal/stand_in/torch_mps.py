"""What ``torch.mps`` and ``torch.backends.mps`` answer while the stand-in is installed.

Names and meanings: https://docs.pytorch.org/docs/stable/mps.html. Calls have ended when they return, so that there is
nothing to wait for on the CPU; on an NVIDIA GPU the host's own synchronisation is asked.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from kernelwright.metal.stand_in.device import Host, MpsDevice
from kernelwright.metal.stand_in.journal import Journal
from kernelwright.metal.stand_in.kernels import StandInLibrary

NAME = "Kernelwright's Metal runtime"
_OLDEST_MACOS = (14, 0)
"""What the stand-in says it is: the oldest macOS that PyTorch's MPS back end supports."""
_MEMORY = 8 << 30
"""Bytes that the stand-in says it has: the smallest Mac with an M-series chip."""


class Event:
    """``torch.mps.Event``. Its time is the host's, and says nothing about a Mac."""

    def __init__(self, enable_timing: bool = False) -> None:
        self._timing = enable_timing
        self._at: float | None = None

    def record(self) -> None:
        self._at = time.perf_counter()

    def wait(self) -> None:
        """Everything submitted before has ended."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Everything submitted before has ended."""

    def elapsed_time(self, end_event: "Event") -> float:
        """Milliseconds. Raises ``RuntimeError`` for events that were not recorded or do not measure time."""
        if not (self._timing and end_event._timing) or self._at is None or end_event._at is None:
            raise RuntimeError("both events must be recorded, and made with enable_timing=True")
        return 1e3 * (end_event._at - self._at)


def functions(device: MpsDevice, journal: Journal) -> dict[Any, Mapping[str, Any]]:
    """The functions of each module, by their names."""

    def compile_shader(source: str) -> StandInLibrary:
        return StandInLibrary(_text(source), device, journal)

    synchronize, generator = _synchronize(device.host), torch.default_generator
    mps: dict[str, Any] = {
        "compile_shader": compile_shader,
        "load_metallib": _no_metallib,
        "synchronize": synchronize,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "empty_cache": lambda: None,
        "current_allocated_memory": lambda: 0,
        "driver_allocated_memory": lambda: 0,
        "recommended_max_memory": lambda: _MEMORY,
        "set_per_process_memory_fraction": _ignored,
        # the host's generator itself: torch's own functions of these names ask torch.mps too
        "manual_seed": generator.manual_seed,
        "seed": generator.seed,
        "get_rng_state": generator.get_state,
        "set_rng_state": generator.set_state,
        "Event": Event,
    }
    backend = {
        "is_built": lambda: True,
        "is_available": lambda: True,
        "is_macos_or_newer": _is_macos_or_newer,
        "is_macos13_or_newer": _is_macos13_or_newer,
        "get_name": lambda: NAME,
        "get_core_count": lambda: 8,
    }
    return {torch.mps: mps, torch.mps.event: {"Event": Event}, torch.backends.mps: backend}


@contextmanager
def installed(device: MpsDevice, journal: Journal) -> Generator[None]:
    """The functions above are torch's while this lasts."""
    replaced: list[tuple[Any, str, Any]] = []
    try:
        for module, names in functions(device, journal).items():
            for name, function in names.items():
                replaced.append((module, name, getattr(module, name, None)))
                setattr(module, name, function)
        yield
    finally:
        for module, name, original in replaced:
            if original is None:  # this version of torch does not have it
                delattr(module, name)
            else:
                setattr(module, name, original)


def _synchronize(host: Host) -> Callable[[], None]:
    return torch.cuda.synchronize if host == "cuda" else lambda: None


def _ignored(fraction: float) -> None:
    """There is no memory here that a fraction could be taken of."""


def _is_macos_or_newer(major: int, minor: int) -> bool:
    return (major, minor) <= _OLDEST_MACOS


def _is_macos13_or_newer(minor: int = 0) -> bool:
    return True


def _text(source: Any) -> str:
    if not isinstance(source, str):
        raise TypeError(
            f"compile_shader(): incompatible function arguments: a str is needed, not {type(source).__name__}"
        )
    return source


def _no_metallib(*_: Any) -> None:
    raise RuntimeError(
        "load_metallib: compiled Metal libraries run on Apple GPUs only; give the source to compile_shader"
    )
