"""Metal candidates on a machine without an Apple GPU: what to watch in each call, and what was seen.

Kernels run on our own Metal runtime (``kernelwright.metal.stand_in``), on the CPU or an NVIDIA GPU. The first call is
watched with all of the sanitizer's checks, one later call chosen at random a little, and threads take turns in another
order from call to call: a result that depends on the order has a race. What the checks only suspect becomes a warning.
No times are taken; counted work goes into the verdict. What is counted and reported comes from the candidate's own
process, like everything it hands over: lies harm only the reader of a verdict that has no speed in it.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from kernelwright.judge.findings import stop
from kernelwright.metal.apple_gpus import modelled_times
from kernelwright.metal.build import prepare
from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.reports import Report, ReportKind
from kernelwright.metal.stand_in import Host
from kernelwright.metal.stand_in.journal import MOST_INSPECTED
from kernelwright.metal.toolchain import find
from kernelwright.metal.work import KernelWork
from kernelwright.schema import Candidate, Status, Target
from kernelwright.schema.metal import MetalAccess, MetalBuffer, MetalKernel, MetalWork, ModelledTime

MOST_LAUNCHES = 1_000_000
"""Of one kernel in one call: more is no record of a module's call."""
MOST_WARNINGS = 5
FIRST_CALL_SECONDS = 10.0
LATER_CALL_SECONDS = 3.0
_ORDERS = ("ascending", "descending", "shuffled")
_CAUSES_FIRST = (
    ReportKind.OUT_OF_BOUNDS, ReportKind.MISALIGNED, ReportKind.DIVERGENCE, ReportKind.UNINITIALIZED, ReportKind.RACE,
    ReportKind.SHUFFLE, ReportKind.DIVISION,
)  # fmt: skip
"""A barrier that some threads miss brings races about, not the other way round."""
_random = random.SystemRandom()


@dataclass(frozen=True)
class SeenKernel:
    """What the stand-in's journal says of one kernel over one grid."""

    kernel: str
    launches: Annotated[int, Field(ge=1, le=MOST_LAUNCHES)]
    work: Annotated[tuple[KernelWork, ...], Field(max_length=MOST_INSPECTED)]


@dataclass(frozen=True)
class SeenReport(Report):
    text: str = ""
    """The line of the Metal source."""


@dataclass(frozen=True)
class Seen:
    """One call, as the candidate's process reports it."""

    kernels: tuple[SeenKernel, ...] = ()
    reports: tuple[SeenReport, ...] = ()


_SEEN = TypeAdapter(Seen)


@dataclass
class MetalWatch:
    """One candidate's calls. ``saw`` raises ``Stopped`` for a broken rule of the sanitizer."""

    host: Host
    also: int = field(default_factory=lambda: _random.randrange(1, 6))
    """A later call that is watched as well."""
    _calls: int = 0
    warnings: dict[str, None] = field(default_factory=dict[str, None])
    """What the checks suspect, each once, in the order seen."""
    work: MetalWork | None = None
    """Counted work of the first call."""

    def request(self) -> dict[str, Any]:
        """What to watch in the call to come."""
        call, self._calls = self._calls, self._calls + 1
        seconds = FIRST_CALL_SECONDS if call == 0 else LATER_CALL_SECONDS if call == self.also else 0.0
        order = _ORDERS[call] if call < len(_ORDERS) else _random.choice(_ORDERS)
        return {"inspecting": seconds > 0, "seconds": seconds, "order": order, "seed": secrets.randbits(31)}

    def saw(self, record: Any) -> None:
        """What the call's answer says. Raises ``Stopped``: ``protocol`` for nonsense, ``metal_…`` for a report."""
        try:
            seen = _SEEN.validate_python(record or {})
            if self._calls == 1:
                self.work = _work(seen, self.host)
        except (ValidationError, ArithmeticError):
            raise stop(Status.REJECTED, "protocol", "the record of Metal launches is unreadable") from None
        self._warn(seen.reports)
        broken = [report for report in seen.reports if not report.suspicion]
        if broken:
            reports = sorted(broken, key=lambda report: _CAUSES_FIRST.index(report.kind))
            raise stop(Status.RUNTIME_FAILED, f"metal_{reports[0].kind.value}", _told(reports))

    def _warn(self, reports: Sequence[SeenReport]) -> None:
        for report in reports:
            if report.suspicion and len(self.warnings) < MOST_WARNINGS:
                self.warnings[f"line {report.line} of the Metal source: {report.kind}: {report.message}"] = None


def watch_for(candidate: Candidate, platform: str) -> MetalWatch | None:
    """For a Metal candidate on a platform that has no Apple GPU. Raises ``Stopped`` where nothing compiles Metal."""
    if candidate.target is not Target.METAL or platform == "mps":
        return None
    try:
        prepare(find())
    except ToolchainMissing as error:
        raise stop(Status.REJECTED, "toolchain", str(error)) from None
    return MetalWatch("cuda" if platform == "cuda" else "cpu")


def _work(seen: Seen, host: Host) -> MetalWork:
    """Of all launches of one call. Those that were not watched are taken to be like those that were."""
    watched = [kernel for kernel in seen.kernels if kernel.work]
    each = [kernel.work[n % len(kernel.work)] for kernel in watched for n in range(kernel.launches)]
    moved, flops = sum(work.device_bytes for work in each), sum(work.flops for work in each)
    return MetalWork(
        note=f"checked on the Metal runtime ({'CPU' if host == 'cpu' else 'NVIDIA GPU'}), not timed",
        kernels=tuple(map(_kernel, watched)),
        device_bytes=moved,
        distinct_device_bytes=sum(work.distinct_device_bytes for work in each),
        flops=flops,
        arithmetic_intensity=flops / moved if moved else None,
        modelled=tuple(ModelledTime(gpu=t.gpu, ms=t.ms, bound=t.bound) for t in modelled_times(each)),
    )


def _kernel(seen: SeenKernel) -> MetalKernel:
    first, scale = seen.work[0], seen.launches / len(seen.work)

    def total(name: str) -> int:
        return round(scale * sum(getattr(work, name) for work in seen.work))

    return MetalKernel(
        name=seen.kernel,
        grid=first.grid,
        group=first.group,
        launches=seen.launches,
        launches_watched=len(seen.work),
        threadgroups=sum(work.groups for work in seen.work),
        threadgroups_watched=sum(work.groups_run for work in seen.work),
        threadgroup_memory=first.threadgroup_memory,
        resident_threadgroups=first.resident_threadgroups,
        buffers=tuple(
            MetalBuffer(
                index=buffer.index,
                name=buffer.name,
                space=buffer.space,
                read_bytes=buffer.read_bytes * seen.launches,
                written_bytes=buffer.written_bytes * seen.launches,
                distinct_read_bytes=buffer.distinct_read_bytes,
                distinct_written_bytes=buffer.distinct_written_bytes,
            )
            for buffer in first.buffers
        ),
        threadgroup_read_bytes=total("threadgroup_read"),
        threadgroup_written_bytes=total("threadgroup_written"),
        barriers=total("barriers"),
        simd_operations=total("simd_operations"),
        atomics=total("atomics"),
        flops=total("flops"),
        accesses=tuple(
            MetalAccess(
                line=access.line,
                space=access.space,
                write=access.write,
                name=access.name,
                accesses=access.accesses * seen.launches,
                bytes=access.bytes * seen.launches,
                transactions=access.transactions * seen.launches,
                ideal_transactions=access.ideal_transactions * seen.launches,
            )
            for access in first.accesses
        ),
    )


def _told(reports: Sequence[SeenReport]) -> str:
    """What an author is told: each report with its line of the Metal source."""
    lines = ["the Metal checks saw broken rules (line numbers are those of the Metal source):"]
    for report in reports:
        lines.append(str(report))
        if report.text:
            lines.append(f"    {report.text}")
    return "\n".join(lines)
