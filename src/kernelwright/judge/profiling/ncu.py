"""Counters of an NVIDIA GPU through Nsight Compute's command line: ``ncu --csv`` around a child with the candidate.

Every kernel in the range is replayed a few times, so no time of this run is used but the weight of a kernel among the
others. Metrics: Nsight Compute, Profiling Guide, and the "nvprof Metric Comparison" of its CLI documentation.
"""

import csv
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelwright.judge.profiling.events import clean
from kernelwright.judge.profiling.operations import short_name
from kernelwright.schema import Operation, Profile

LAUNCHES = 100
SECONDS = 240.0
CALLS = 1
PLACES = ("/usr/local/cuda/bin/ncu", "/opt/nvidia/nsight-compute")
TIME = "gpu__time_duration.sum"
_SHARED = ("launch__shared_mem_per_block_static", "launch__shared_mem_per_block_dynamic")
_DRAM = ("dram__bytes_read.sum", "dram__bytes_write.sum")
_FLOPS = {
    "smsp__sass_thread_inst_executed_op_fadd_pred_on.sum": 1,
    "smsp__sass_thread_inst_executed_op_fmul_pred_on.sum": 1,
    "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum": 2,
}
_OCCUPANCY = "sm__warps_active.avg.pct_of_peak_sustained_active"
_REGISTERS = "launch__registers_per_thread"
COUNTERS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "coalescing": (
        (
            "smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct",
            "smsp__sass_average_data_bytes_per_sector_mem_global_op_st.pct",
        ),
        100.0,
    ),
    "bank_efficiency": (("smsp__sass_average_data_bytes_per_wavefront_mem_shared.pct",), 100.0),
    "lanes_active": (("smsp__thread_inst_executed_per_inst_executed.ratio",), 32.0),
    "barrier_stall": (("smsp__warp_issue_stalled_barrier_per_warp_active.pct",), 100.0),
    "waves": (("launch__waves_per_multiprocessor",), 1.0),
    "tensor_active": (("sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active",), 100.0),
}
"""Counters of the Profile: the metrics whose mean they are, and what these are divided by. Weighted by kernel time."""
METRICS = (
    TIME, *_SHARED, *_DRAM, *_FLOPS, _OCCUPANCY, _REGISTERS, *(name for names, _ in COUNTERS.values() for name in names)
)  # fmt: skip
_UNITS = {"ns": 1.0, "nsecond": 1.0, "us": 1e3, "usecond": 1e3, "ms": 1e6, "msecond": 1e6, "s": 1e9, "second": 1e9,
          "byte": 1.0, "Kbyte": 1e3, "Mbyte": 1e6, "Gbyte": 1e9}  # fmt: skip
_MOST = 1e18


@dataclass(frozen=True)
class Launch:
    """One launch of one kernel. ``metrics`` in nanoseconds, bytes, percent."""

    kernel: str
    metrics: Mapping[str, float]

    @property
    def ns(self) -> float:
        return self.metrics.get(TIME, 0.0)


def find() -> str | None:
    """The program, on the PATH or where NVIDIA's installers put it."""
    found = shutil.which("ncu")
    if found is not None:
        return found
    newest = sorted(Path(PLACES[1]).glob("*/ncu"), reverse=True) if Path(PLACES[1]).is_dir() else []
    return next((str(path) for path in (Path(PLACES[0]), *newest) if os.access(path, os.X_OK)), None)


def command(program: str) -> list[str]:
    """What is put in front of the child's own command line."""
    return [
        program, "--csv", "--page", "details", "--print-units", "base", "--profile-from-start", "off",
        "--target-processes", "all", "--launch-count", str(LAUNCHES), "--metrics", ",".join(METRICS),
    ]  # fmt: skip


def parse(text: str) -> tuple[Launch, ...]:
    """The launches of ``ncu --csv``, in their order: one line a metric. What is no number is left out.

    Lines before the header belong to ncu (``==PROF==``) or to the candidate, whose prints share the stream.
    """
    lines = [line for line in text.splitlines() if line.startswith('"')]
    start = next((n for n, line in enumerate(lines) if line.startswith('"ID"') and "Metric Name" in line), None)
    if start is None:
        return ()
    kernels: dict[str, str] = {}
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    for row in _rows(lines[start:]):
        number, name = row.get("ID") or "", row.get("Metric Name") or ""
        value = _number(row.get("Metric Value") or "", row.get("Metric Unit") or "")
        if name in METRICS and value is not None and (number in kernels or len(kernels) < LAUNCHES):
            kernels.setdefault(number, clean(row.get("Kernel Name") or ""))
            metrics[number][name] = value
    return tuple(Launch(kernels[number], metrics[number]) for number in kernels)


def _rows(lines: Sequence[str]) -> Iterator[dict[str, str | None]]:
    """As far as they are CSV at all: a candidate may print anything between them."""
    rows = csv.DictReader(lines)
    while True:
        try:
            yield next(rows)
        except (StopIteration, csv.Error):
            return


def _number(text: str, unit: str) -> float | None:
    try:
        value = float(text.replace(",", "")) * _UNITS.get(unit, 1.0)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= _MOST else None


def merged(profile: Profile, launches: Sequence[Launch]) -> Profile:
    """The profile with occupancy, registers, shared memory, traffic and FLOPs of its kernels, and the counters."""
    if not launches:
        return profile
    by_name: dict[str, list[Launch]] = defaultdict(list)
    for launch in launches:
        by_name[_key(launch.kernel)].append(launch)
    operations = tuple(
        _with(op, by_name[_key(op.name)]) if op.device_ms is not None and _key(op.name) in by_name else op
        for op in profile.operations
    )
    counters = {
        name: value / per
        for name, (metrics, per) in COUNTERS.items()
        if (value := _weighted(launches, metrics)) is not None
    }
    note = f"occupancy, registers, shared memory and traffic by ncu, {len(launches)} launches"
    return profile.model_copy(
        update={
            "operations": operations,
            "counters": {**profile.counters, **counters},
            "notes": (*profile.notes, note),
        }
    )


def _key(name: str) -> str:
    """Both profilers demangle names, with other spaces and now and then without arguments."""
    return "".join(short_name(name).split())


def _with(op: Operation, launches: Sequence[Launch]) -> Operation:
    """Of one call: traffic and FLOPs are the mean of a launch times the launches that the other profiler saw."""
    moved = _mean_of_sums(launches, dict.fromkeys(_DRAM, 1))
    flops = _mean_of_sums(launches, _FLOPS)
    shared = _mean_of_sums(launches, dict.fromkeys(_SHARED, 1))
    occupancy, registers = _weighted(launches, (_OCCUPANCY,)), _weighted(launches, (_REGISTERS,))
    return op.model_copy(
        update={
            "bytes_moved": None if moved is None else round(moved * op.launches),
            "flops": op.flops if flops is None else round(flops * op.launches),
            "shared_bytes": None if shared is None else round(shared),
            "occupancy": None if occupancy is None else min(1.0, occupancy / 100),
            "registers": None if registers is None else round(registers),
        }
    )


def _mean_of_sums(launches: Sequence[Launch], weights: Mapping[str, int]) -> float | None:
    """The mean over the launches of the weighted sum of these metrics; ``None`` where no launch has one of them."""
    sums = [
        sum(weight * launch.metrics.get(name, 0.0) for name, weight in weights.items())
        for launch in launches
        if any(name in launch.metrics for name in weights)
    ]
    return sum(sums) / len(sums) if sums else None


def _weighted(launches: Iterable[Launch], names: Sequence[str]) -> float | None:
    """The mean of these metrics, weighted by the time of each launch. 0 means that there was no such access."""
    pairs = [
        (launch.ns or 1.0, launch.metrics[name]) for launch in launches for name in names if name in launch.metrics
    ]
    kept = [(weight, value) for weight, value in pairs if value > 0]
    whole = sum(weight for weight, _ in kept)
    return sum(weight * value for weight, value in kept) / whole if whole > 0 else None
