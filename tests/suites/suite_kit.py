"""Records made by hand, for tests of scores and merging."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from kernelwright.schema import BaselineTiming, Budget, DeviceFacts, Interval, Speedup, Status
from kernelwright.suites.recording import against_each
from kernelwright.suites.records import AttemptShort, Head, ProblemRecord, Sitting, SuiteResults, SuiteSettings, Winner

RELU = """\
import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x)


def get_inputs():
    return [torch.rand(16, 16) - 0.5]


def get_init_inputs():
    return []
"""
ROW_SUMS = RELU.replace("torch.relu(x)", "x.sum(dim=1)")


def checkout(folder: Path, files: dict[str, str]) -> Path:
    """A folder that looks like a KernelBench checkout."""
    for name, text in files.items():
        path = folder / "KernelBench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def exactly(value: float) -> Interval:
    return Interval(median=value, low=value, high=value)


def head(**changes: object) -> Head:
    settings = {
        "authors": ("rewriter",),
        "budget": Budget(seconds=60.0),
        "platform": "cuda",
        "baselines": ("eager", "compile", "compile-max-autotune"),
    }
    device = {"platform": "cuda", "name": "H100", "memory_bytes": 1, "cores": 132, "cache_bytes": 1}
    for name, value in changes.items():
        if name in SuiteSettings.model_fields:
            settings[name] = value
        elif name in DeviceFacts.model_fields:
            device[name] = value
    return Head(
        settings=SuiteSettings.model_validate(settings),
        kernelwright="0.1.0",
        torch=str(changes.get("torch", "2.11.0+cu130")),
        python="3.12.3",
        device=DeviceFacts.model_validate(device),
        sittings=changes.get("sittings", ()),  # type: ignore[arg-type]
    )


def sitting(hour: int, problems: int = 10, wall: float = 3600.0, device: float = 1800.0) -> Sitting:
    return Sitting(
        began=f"2026-01-01T{hour:02d}:00:00.000+00:00",
        command="kernelwright suite run kernelbench",
        at_once=4,
        problems=problems,
        wall_seconds=wall,
        device_seconds=device,
    )


def record(
    number: int,
    ratio: float | None,
    *,
    level: int = 1,
    wins: bool | None = None,
    compile: float | None = 2.0,
    labels: tuple[str, ...] = (),
    minute: int = 0,
    failure: str = "",
) -> ProblemRecord:
    """A problem whose only candidate is ``ratio`` times as fast as eager, whose eager takes 8 ms a call.

    ``compile``: how many times as fast as eager ``torch.compile`` is; ``None`` where it cannot be built. ``wins``: by
    default where the candidate is faster than both.
    """
    eager = BaselineTiming(name="eager", ms=exactly(8.0), vs_eager=exactly(1.0))
    compiled = BaselineTiming(name="compile", failure="too hard")
    if compile is not None:
        compiled = BaselineTiming(name="compile", ms=exactly(8.0 / compile), vs_eager=exactly(compile))
    best_name, best = ("compile", compile) if compile is not None and compile > 1 else ("eager", 1.0)
    baselines = () if failure else (eager, compiled)
    attempts: tuple[AttemptShort, ...] = ()
    winner, speedups = None, {}
    if ratio is not None:
        speedup = Speedup(eager=exactly(ratio), best_baseline=exactly(ratio / best), best_baseline_name=best_name)
        attempts = (AttemptShort(number=1, author="rewriter", status=Status.CORRECT, speedup=speedup),)
        if wins if wins is not None else ratio > best:
            winner = Winner(
                attempt=1, author="rewriter", title="faster", digest="d", source="s", ms=exactly(8.0 / ratio)
            )
            speedups = against_each(speedup, baselines)
    return ProblemRecord(
        level=level,
        number=number,
        name=f"{number}_problem",
        digest=f"digest {number}",
        finished=(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).isoformat(),
        labels=labels,
        baselines=baselines,
        attempts=attempts,
        stays="" if failure else "attempt" if winner else best_name,
        winner=winner,
        speedups=speedups,
        byte_floor_ms=1.0 if attempts else None,
        work_floor_ms=0.5 if attempts else None,
        failure=failure,
    )


def results(*records: ProblemRecord, heads: tuple[Head, ...] | None = None) -> SuiteResults:
    return SuiteResults(heads=heads or (head(),), problems=records)
