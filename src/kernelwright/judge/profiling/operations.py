"""From the events of some calls to operations with their own time, and to how long host and device worked."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from kernelwright.judge.profiling.events import Event, Trace
from kernelwright.judge.profiling.marks import CALL
from kernelwright.schema import Operation

OUTSIDE = "(outside operators)"
"""Time of a call in which no operator ran: Python, and native code that the profiler cannot see."""
MOST_OPERATIONS = 60
UNUSUAL = 2.0


@dataclass
class _Sum:
    events: int = 0
    own_ns: int = 0
    flops: int = 0
    on_device: bool = False


@dataclass(frozen=True)
class Seen:
    """Of one call, milliseconds."""

    operations: tuple[Operation, ...]
    """Longest first."""
    watched_ms: float
    """The call under the profiler, which slows it down."""
    busy_ms: float
    """Time in which the device worked; on the CPU, in which an operator or a compiled extension did."""


@dataclass
class _Open:
    event: Event
    inside_ns: int = field(default=0)


def look(trace: Trace, *, device: bool) -> Seen:
    """``device``: kernels run on one of their own time line; else the host's operators are the work.

    Calls that took more than twice the median are left out: the profiler's own start falls into the first one.
    """
    usual = median(call.duration for call in trace.calls)
    calls = [call for call in trace.calls if call.duration <= UNUSUAL * usual]
    inside = [event for event in trace.events if _within(event, calls)]
    sums: dict[str, _Sum] = defaultdict(_Sum)
    outside = 0
    for event, own in own_times(event for event in inside if not event.on_device):
        if event.kind == CALL:
            outside += own
        else:
            _add(sums[event.name], event, own)
    for event in inside:
        if event.on_device:
            _add(sums[event.name], event, event.duration)
    n = len(calls)
    whole = sum(call.duration for call in calls)
    busy = _covered(event for event in inside if event.on_device) if device else max(0, whole - outside)
    operations = [_operation(name, total, n) for name, total in sums.items()]
    operations.append(Operation(name=OUTSIDE, launches=1.0, host_ms=outside / n / 1e6))
    return Seen(
        operations=_longest(operations),
        watched_ms=whole / n / 1e6,
        busy_ms=busy / n / 1e6,
    )


def _within(event: Event, calls: Sequence[Event]) -> bool:
    return any(call.start <= event.start <= call.end for call in calls)


def own_times(events: Iterable[Event]) -> Iterator[tuple[Event, int]]:
    """Each event of the host with its time outside the events that it encloses on the same thread."""
    for _, lane in itertools.groupby(sorted(events, key=_enclosing_first), key=lambda event: event.lane):
        stack: list[_Open] = []
        for event in lane:
            while stack and stack[-1].event.end <= event.start:
                yield _closed(stack.pop())
            if stack:
                stack[-1].inside_ns += max(0, min(event.end, stack[-1].event.end) - event.start)
            stack.append(_Open(event))
        while stack:
            yield _closed(stack.pop())


def _enclosing_first(event: Event) -> tuple[int, int, int, bool, int, str]:
    """The order does not depend on that of the events: calls enclose all else, of others the kind and name decide."""
    return event.lane, event.start, -event.end, event.kind != CALL, event.kind, event.name


def _closed(done: _Open) -> tuple[Event, int]:
    return done.event, max(0, done.event.duration - done.inside_ns)


def _covered(events: Iterable[Event]) -> int:
    """Nanoseconds in which at least one of them ran."""
    covered, until = 0, 0
    for event in sorted(events, key=lambda event: event.start):
        covered += max(0, event.end - max(event.start, until))
        until = max(until, event.end)
    return covered


def _add(total: _Sum, event: Event, own: int) -> None:
    total.events += 1
    total.own_ns += own
    total.flops += event.flops
    total.on_device = total.on_device or event.on_device


def _operation(name: str, total: _Sum, calls: int) -> Operation:
    ms = total.own_ns / calls / 1e6
    return Operation(
        name=name,
        launches=total.events / calls,
        device_ms=ms if total.on_device else None,
        host_ms=None if total.on_device else ms,
        flops=round(total.flops / calls) or None,
    )


def milliseconds(operation: Operation) -> float:
    """The operation's own time, on the device where it has one there."""
    return operation.device_ms if operation.device_ms is not None else operation.host_ms or 0.0


def short_name(name: str) -> str:
    """A kernel's name without return type, namespaces and template arguments; an operator's without ``aten``."""
    if "<" not in name and "(" not in name:
        return name.removeprefix("aten::")
    head = name.removeprefix("void ").split("<")[0].split("(")[0].strip()
    return head.split("::")[-1] or name


def _longest(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The short ones beyond a bound become one."""
    kept = sorted(operations, key=milliseconds, reverse=True)
    rest = kept[MOST_OPERATIONS:]
    if not rest:
        return tuple(kept)
    others = Operation(
        name=f"({len(rest)} others)",
        launches=sum(operation.launches for operation in rest),
        device_ms=sum(operation.device_ms or 0.0 for operation in rest) or None,
        host_ms=sum(operation.host_ms or 0.0 for operation in rest) or None,
    )
    return (*kept[:MOST_OPERATIONS], others)
