"""The timeline of one call: the host's operators, nested, above the device's streams."""

from collections import defaultdict

from kernelwright.judge.profiling.draw import GRID, INK, MUTED, figure, plain_axes, png, safe
from kernelwright.judge.profiling.events import Event, Trace
from kernelwright.judge.profiling.marks import CALL
from kernelwright.judge.profiling.operations import own_times, short_name
from kernelwright.schema import Picture

DEEPEST = 4
"""Rows of nested operators; what lies deeper is not drawn."""
MOST_STREAMS = 4
MOST_BARS = 3_000
COLOURS = ("#2563a8", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0f766e", "#be185d", "#4d5b6b")
OTHER = "#b8bfc7"
FEWEST_LETTERS = 8
"""A name that is cut shorter says nothing."""
PIXELS, PIXELS_A_LETTER = 880, 7.6
Bar = tuple[str, float, float]
"""Name, begin and length; milliseconds since the call began."""
Row = tuple[str, list[Bar]]


def timeline(trace: Trace, title: str) -> Picture:
    """Of the median call. Names are coloured by how long they take; the short ones are grey."""
    call = sorted(trace.calls, key=lambda event: event.duration)[len(trace.calls) // 2]
    rows = [*_host(trace, call), *_device(trace, call)]
    length = max(call.duration / 1e6, *(start + took for _, bars in rows for _, start, took in bars), 1e-6)
    colours = _colours(trace, call)
    made = figure(1.75 + 0.42 * len(rows) + 0.24 * ((len(colours) + 2) // 3))
    axes = made.add_subplot()
    unit, scale = ("ms", 1.0) if length >= 1 else ("µs", 1e3)
    for place, (_, bars) in enumerate(rows):
        spans = [(start * scale, max(took, length / 2000) * scale) for _, start, took in bars]
        shades = [colours.get(name, OTHER) for name, _, _ in bars]
        axes.broken_barh(spans, (place - 0.4, 0.8), facecolors=shades, edgecolor="white", linewidth=0.5)
        for name, start, took in bars:
            room = int(took / length * PIXELS / PIXELS_A_LETTER) - 1
            label = safe(short_name(name), max(room, FEWEST_LETTERS))
            if room >= min(len(label), FEWEST_LETTERS):
                axes.text((start + took / 2) * scale, place, label, ha="center", va="center",
                          color="white" if name in colours else INK, fontsize=10.5, clip_on=True)  # fmt: skip
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, length * scale)
    axes.set_xlabel(f"time since the call began ({unit}), under the profiler", fontsize=11, color=MUTED)
    plain_axes(axes)
    axes.tick_params(axis="y", length=0, labelsize=11, colors=INK)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    made.suptitle(f"Timeline of one call: {safe(title, 70)}", x=0.02, ha="left", fontsize=14, color=INK)
    _legend(axes, colours)
    return Picture(name="timeline", png=png(made), caption="Operators on the host and work of the device in one call.")


def _legend(axes: "object", colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=safe(short_name(name), 38)) for name, colour in colours.items()]
    axes.figure.legend(  # type: ignore[attr-defined]
        handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=10.5, labelcolor=INK
    )


def _host(trace: Trace, call: Event) -> list[Row]:
    """Rows of nested operators of the thread that made the call."""
    rows: list[list[Bar]] = [[] for _ in range(DEEPEST)]
    open_until: list[int] = []
    for event in trace.events:
        inside = call.start <= event.start <= call.end and event.lane == call.lane
        if not inside or event.on_device or event.kind == CALL:
            continue
        while open_until and open_until[-1] <= event.start:
            open_until.pop()
        if len(open_until) < DEEPEST:
            rows[len(open_until)].append(_bar(event, call))
        open_until.append(event.end)
    kept = [bars[:MOST_BARS] for bars in rows if bars]
    return [("host" if depth == 0 else f"inside {depth}", bars) for depth, bars in enumerate(kept)]


def _device(trace: Trace, call: Event) -> list[Row]:
    """One row a stream, the busiest first."""
    streams: dict[int, list[Event]] = defaultdict(list)
    for event in trace.events:
        if event.on_device and call.start <= event.start <= call.end:
            streams[event.lane].append(event)
    busiest = sorted(streams.values(), key=lambda events: -sum(event.duration for event in events))
    return [
        (f"device {n}" if len(busiest) > 1 else "device", [_bar(event, call) for event in events[:MOST_BARS]])
        for n, events in enumerate(busiest[:MOST_STREAMS])
    ]


def _bar(event: Event, call: Event) -> Bar:
    return event.name, (event.start - call.start) / 1e6, event.duration / 1e6


def _colours(trace: Trace, call: Event) -> dict[str, str]:
    """Colours for the names that take the longest by themselves, in that order: at least a hundredth of all."""
    inside = [event for event in trace.events if call.start <= event.start <= call.end and event.kind != CALL]
    took: dict[str, float] = defaultdict(float)
    for event, own in own_times(event for event in inside if not event.on_device):
        took[event.name] += own
    for event in inside:
        if event.on_device:
            took[event.name] += event.duration
    longest = sorted(took, key=lambda name: -took[name])[: len(COLOURS)]
    least = sum(took.values()) / 100
    return dict(zip([name for name in longest if took[name] >= least], COLOURS, strict=False))
