"""The roofline: what the device can do at best for each byte that moves, and where the module stands under it."""

from kernelwright.judge.profiling.draw import (
    ACCENT,
    GRID,
    INK,
    MUTED,
    SECOND,
    duration,
    figure,
    plain_axes,
    png,
    quantity,
    safe,
)  # fmt: skip
from kernelwright.schema import MetalWork, Picture, Roofline

NO_TIME = "counted, not timed"


def roofline(facts: Roofline, title: str) -> Picture:
    """Arithmetic intensity against FLOP/s; for work without counted FLOPs the time against its floor."""
    if facts.flops <= 0 or facts.bytes_moved <= 0:
        return _floors(facts, title)
    achieved = facts.flops / (facts.time_ms / 1e3) if facts.time_ms else None
    label = "this candidate" if achieved is None else f"this candidate: {quantity(achieved, 'FLOP/s')}"
    return _roof(facts, title, [(label, facts.flops / facts.bytes_moved, achieved)])


def metal(work: MetalWork, facts: Roofline) -> Picture:
    """Each kernel at its own arithmetic intensity, on the roof: no time was taken."""
    marks: list[tuple[str, float, float | None]] = []
    for kernel in work.kernels:
        device = [b for b in kernel.buffers if b.space == "device"]
        moved = kernel.launches * sum(b.distinct_read_bytes + b.distinct_written_bytes for b in device)
        if moved > 0 and kernel.flops > 0:
            marks.append((kernel.name, kernel.flops / moved, None))
    busiest = sorted(marks, key=lambda mark: -mark[1])[:6]
    if not busiest:
        return _floors(facts, "Metal kernels")
    return _roof(facts, "Metal kernels under the roofline of an M1 (a model)", busiest)


def _roof(facts: Roofline, title: str, marks: list[tuple[str, float, float | None]]) -> Picture:
    made = figure(5.6)
    axes = made.add_subplot()
    ridge = facts.flop_rate / facts.bandwidth
    intensities = [mark[1] for mark in marks]
    low, high = min(ridge / 80, *(i / 8 for i in intensities)), max(ridge * 50, *(i * 8 for i in intensities))
    floor = min([facts.bandwidth * low, *(rate / 5 for *_, rate in marks if rate)])
    axes.loglog([low, ridge, high], [facts.bandwidth * low, facts.flop_rate, facts.flop_rate], color=INK, linewidth=2)
    axes.set_xlim(low, high)
    axes.set_ylim(floor, facts.flop_rate * 4)
    axes.axvline(ridge, color=GRID, linewidth=1)
    axes.annotate(f"memory: {quantity(facts.bandwidth, 'B/s')}", (ridge / 5, facts.flop_rate / 5), xytext=(-14, 2),
                  textcoords="offset points", ha="right", fontsize=12, color=SECOND)  # fmt: skip
    axes.annotate(f"arithmetic: {quantity(facts.flop_rate, 'FLOP/s')}", (high, facts.flop_rate), xytext=(-6, 7),
                  textcoords="offset points", ha="right", fontsize=12, color=SECOND)  # fmt: skip
    for place, (name, intensity, rate) in enumerate(marks):
        _mark(axes, facts, name, intensity, rate, place)
    axes.set_xlabel("arithmetic intensity (FLOP for each byte that has to move)", fontsize=12, color=MUTED)
    axes.yaxis.set_major_formatter(lambda value, _: quantity(value, "FLOP/s"))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    plain_axes(axes)
    axes.grid(which="major", color=GRID, linewidth=0.5)
    made.suptitle(f"Roofline: {safe(title, 70)}", x=0.02, ha="left", fontsize=14, color=INK)
    timed = any(rate for *_, rate in marks)
    return Picture(
        name="roofline",
        png=png(made),
        caption="The module under the roofline of its device." if timed else f"A model: kernels were {NO_TIME}.",
    )


def _mark(axes: "object", facts: Roofline, name: str, intensity: float, rate: float | None, place: int) -> None:
    """A point under its bound with the share that it reaches, or a ring on the roof where nothing was timed."""
    roof = min(facts.flop_rate, facts.bandwidth * intensity)
    crowded = intensity * 6 > facts.flop_rate / facts.bandwidth * 50
    align, dx = ("right", -12) if crowded else ("left", 12)
    if rate is None:
        axes.plot([intensity], [roof], "o", markersize=10, markerfacecolor="white", color=ACCENT, markeredgewidth=2)  # type: ignore[attr-defined]
        axes.annotate(f"{safe(name, 40)} ({NO_TIME})", (intensity, roof), xytext=(dx, -18 - 18 * place), ha=align,  # type: ignore[attr-defined]
                      textcoords="offset points", fontsize=12, color=INK)  # fmt: skip
        return
    axes.plot([intensity, intensity], [rate, roof], color=ACCENT, linewidth=1.2, linestyle=(0, (4, 3)))  # type: ignore[attr-defined]
    axes.plot([intensity], [rate], "o", markersize=11, color=ACCENT)  # type: ignore[attr-defined]
    text = f"{safe(name, 60)}\n{100 * rate / roof:.3g} % of the bound here"
    axes.annotate(text, (intensity, rate), xytext=(dx, 0), textcoords="offset points", ha=align, va="center",  # type: ignore[attr-defined]
                  fontsize=12, color=INK)  # fmt: skip


def _floors(facts: Roofline, title: str) -> Picture:
    """Bars: the measured time, and the least time that the memory's and the arithmetic unit's rates allow."""
    bars = [("memory alone", 1e3 * facts.bytes_moved / facts.bandwidth, SECOND)]
    if facts.flops > 0:
        bars.append(("arithmetic alone", 1e3 * facts.flops / facts.flop_rate, SECOND))
    if facts.time_ms is not None:
        bars.insert(0, ("measured", facts.time_ms, ACCENT))
    made = figure(1.5 + 0.55 * len(bars))
    axes = made.add_subplot()
    axes.barh(range(len(bars)), [ms for _, ms, _ in bars], color=[colour for *_, colour in bars], height=0.6)
    for place, (_, ms, _) in enumerate(bars):
        axes.annotate(duration(ms), (ms, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=12)
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, max(ms for _, ms, _ in bars) * 1.15 or 1.0)
    moved = f"{quantity(facts.bytes_moved, 'B')} have to move at {quantity(facts.bandwidth, 'B/s')}"
    axes.set_xlabel(f"milliseconds for one call; {moved}, no FLOPs are counted", fontsize=12, color=MUTED)
    plain_axes(axes)
    axes.tick_params(axis="y", length=0, labelsize=12, colors=INK)
    made.suptitle(f"Time against its floor: {safe(title, 60)}", x=0.02, ha="left", fontsize=14, color=INK)
    return Picture(name="roofline", png=png(made), caption="One call against the least time that its bytes need.")
