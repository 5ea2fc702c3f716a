"""Events of a profiler as the candidate's process hands them over: bounded, checked, and only then looked at."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from kernelwright.judge.profiling.marks import CALL, COPY, KERNEL, MAX_CALLS, MAX_EVENTS, MAX_NAME

SHOWN_NAME = 120
_LONGEST_NS = 10**15
_MOST = 10**18
_Place = Annotated[int, Field(ge=0, lt=MAX_EVENTS)]
_Nanoseconds = Annotated[int, Field(ge=0, le=_LONGEST_NS)]
_Count = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; times in nanoseconds since the first one."""

    name: str
    kind: int
    """See ``marks``."""
    lane: int
    """The thread, or the device's stream."""
    start: int
    duration: int
    flops: int

    @property
    def end(self) -> int:
        return self.start + self.duration

    @property
    def on_device(self) -> bool:
        return self.kind in (KERNEL, COPY)


@dataclass(frozen=True)
class Trace:
    """Every event of some calls, in the order of their start; the longer first where two start together."""

    events: tuple[Event, ...]
    dropped: int
    """Events that did not fit."""

    @property
    def calls(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind == CALL)


@dataclass(frozen=True)
class Counts:
    """What the candidate's process used over ``calls`` calls; names to totals."""

    counts: Annotated[dict[Annotated[str, Field(max_length=40)], _Count], Field(max_length=20)]
    missing: Annotated[str, Field(max_length=300)] = ""


@dataclass(frozen=True)
class _RawTrace:
    names: Annotated[list[Annotated[str, Field(max_length=MAX_NAME)]], Field(max_length=MAX_EVENTS)]
    events: Annotated[
        list[
            tuple[
                _Place,
                Annotated[int, Field(ge=CALL, le=COPY)],
                Annotated[int, Field(ge=0, lt=1 << 64)],
                _Nanoseconds,
                _Nanoseconds,
                Annotated[int, Field(ge=0, le=_MOST)],
            ]
        ],
        Field(max_length=MAX_EVENTS),
    ]
    dropped: Annotated[int, Field(ge=0, le=1 << 40)]


_Read = TypeVar("_Read")
_RAW_TRACE = TypeAdapter(_RawTrace)
_COUNTS = TypeAdapter(Counts)


class UnreadableError(ValueError):
    """What a candidate's process handed over is no profile. One line."""


def read_trace(reply: Any) -> Trace:
    """Raises ``UnreadableError``."""
    raw = _validated(_RAW_TRACE, reply, "events")
    names = [clean(name) for name in raw.names]
    if any(event[0] >= len(names) for event in raw.events):
        raise UnreadableError("the profiler's events name what is not in their table")
    events = sorted((Event(names[n], *rest) for n, *rest in raw.events), key=lambda event: (event.start, -event.end))
    trace = Trace(tuple(events), raw.dropped)
    if not 1 <= len(trace.calls) <= MAX_CALLS:
        raise UnreadableError(f"the profiler's events hold {len(trace.calls)} calls of the module")
    return trace


def read_counts(reply: Any) -> Counts:
    """Raises ``UnreadableError``."""
    return _validated(_COUNTS, reply, "counts")


def _validated(adapter: TypeAdapter[_Read], reply: Any, what: str) -> _Read:
    wanted = {key: value for key, value in reply.items() if key != "id"} if isinstance(reply, dict) else reply
    try:
        return adapter.validate_python(wanted)
    except ValidationError as error:
        raise UnreadableError(f"the profiler's {what} are unreadable: {error.errors()[0]['msg']}") from None


def clean(name: str) -> str:
    """Printable, on one line, not too long: names come from candidates and are shown to people and models."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    short = " ".join(printable.split())
    return short if len(short) <= SHOWN_NAME else f"{short[: SHOWN_NAME - 1]}…"
