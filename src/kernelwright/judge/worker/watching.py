"""Calls of a candidate under torch.profiler, and what its process used of the CPU: raw events and raw counts.

Runs in the candidate's own process, so nothing here is believed without a look: ``kernelwright.judge.profiling.events``
reads it.
"""

import resource
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from kernelwright.judge.profiling.marks import (
    CALL,
    COPY,
    EXTENSION,
    KERNEL,
    MAX_EVENTS,
    MAX_NAME,
    OPERATOR,
    OUR_MARK,
    RUNTIME,
    THEIR_MARK,
)  # fmt: skip
from kernelwright.judge.worker.counters import HardwareCounters
from kernelwright.platforms import Platform

_OURS = frozenset({"torch", "builtins", "kernelwright", "numpy", "pybind11_builtins", *sys.stdlib_module_names})


class UsageCounters:
    """What this process uses between ``start`` and ``stop``: getrusage(2), and hardware counters where they are."""

    def __init__(self, hardware: HardwareCounters) -> None:
        self._before = resource.getrusage(resource.RUSAGE_SELF)
        self._waited: float | None = None
        self._hardware = hardware

    def start(self) -> None:
        self._hardware.start()
        self._waited = _waiting_ms()
        self._before = resource.getrusage(resource.RUSAGE_SELF)

    def stop(self) -> dict[str, Any]:
        """``counts`` since ``start``, and ``missing``: why there are no hardware counters."""
        after, before, waited = resource.getrusage(resource.RUSAGE_SELF), self._before, _waiting_ms()
        counts: dict[str, float] = {
            "cpu_ms": 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
            "page_faults": after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt,
            "context_switches": after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw,
        }
        if waited is not None and self._waited is not None:
            counts["waiting_ms"] = max(0.0, waited - self._waited)
        return {"counts": counts | self._hardware.stop(), "missing": self._hardware.missing}


def _waiting_ms() -> float | None:
    """How long threads of this process were ready and another program had their CPU; ``None`` where that is not told.

    The second field of ``schedstat``, nanoseconds (Linux, Documentation/scheduler/sched-stats.rst).
    """
    try:
        tasks = [path.read_text() for path in Path("/proc/self/task").glob("*/schedstat")]
    except OSError:
        return None
    return sum(int(text.split()[1]) for text in tasks) / 1e6 if tasks else None


def watch(model: Callable[..., Any], inputs: Sequence[Any], platform: Platform) -> dict[str, Any]:
    """One call on each of ``inputs`` (argument tuples) under the profiler.

    ``names``: table of names. ``events``: ``[name, kind, lane, start, duration, flops]`` with the name's place in the
    table, the kinds of ``marks``, nanoseconds since the first event. ``dropped``: events beyond the bound.
    """
    cuda = platform.name == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with torch.no_grad(), profile(activities=activities, with_flops=True, acc_events=True) as profiler:
        for given in inputs:
            with record_function(OUR_MARK), _extensions_marked() if not cuda else nullcontext():
                model(*given)
                platform.synchronize()
    return _pack(profiler.profiler.kineto_results.events())  # type: ignore[union-attr]


def _pack(found: Sequence[Any]) -> dict[str, Any]:
    names: dict[str, int] = {}
    events: list[list[int]] = []
    first = min((event.start_ns() for event in found), default=0)
    # the calls themselves come first, so that the bound on events never cuts them off
    for event in sorted(found, key=lambda event: (event.name() != OUR_MARK, event.start_ns())):
        kind = _kind(event)
        if kind is None or len(events) == MAX_EVENTS:
            continue
        name = event.name()[:MAX_NAME].removeprefix(THEIR_MARK)
        place = names.setdefault(name, len(names))
        on_device = kind in (KERNEL, COPY)
        lane = event.device_resource_id() if on_device else event.start_thread_id()
        duration = max(0, event.end_ns() - event.start_ns())
        events.append([place, kind, lane, event.start_ns() - first, duration, int(event.flops())])
    wanted = sum(_kind(event) is not None for event in found)
    return {"names": list(names), "events": events, "dropped": wanted - len(events)}


def _kind(event: Any) -> int | None:
    """``None`` for what is no work of its own: marks that the profiler repeats on the device's time line."""
    name, on_device = event.name(), event.device_type().name == "CUDA"
    if event.is_user_annotation():
        if on_device:
            return None
        return CALL if name == OUR_MARK else EXTENSION if name.startswith(THEIR_MARK) else OPERATOR
    if on_device:
        return COPY if name.startswith(("Memcpy", "Memset")) else KERNEL
    return RUNTIME if name.startswith(("cuda", "cu")) and "::" not in name else OPERATOR


@contextmanager
def _extensions_marked() -> Generator[None]:
    """Inside, calls of functions of compiled extensions get a mark: the profiler itself sees PyTorch's operators only.

    Python tells of such calls through sys.setprofile. Functions reached through ctypes are not among them.
    """
    marks: list[Any] = []

    def hook(_frame: FrameType, event: str, function: Any) -> None:
        if not event.startswith("c_") or not _is_extension(function):
            return
        if event == "c_call":
            mark = record_function(f"{THEIR_MARK}{function.__module__}.{function.__name__}")
            mark.__enter__()
            marks.append(mark)
        elif marks:
            marks.pop().__exit__(None, None, None)

    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(before)
        while marks:
            marks.pop().__exit__(None, None, None)


def _is_extension(function: Any) -> bool:
    module = getattr(function, "__module__", None)
    return isinstance(module, str) and module.split(".")[0] not in _OURS
