"""Profiles as pictures for people and for models that see: PNG, 1000 pixels wide, drawn with matplotlib.

matplotlib is an extra (``profile``): without it a profile has no pictures, and a note that says so.
"""

from typing import TYPE_CHECKING

from kernelwright.judge.profiling.events import Trace
from kernelwright.schema import MetalWork, Picture, Roofline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES_WIDE, DPI = 10.0, 100
INK, MUTED, GRID, ACCENT, SECOND = "#1a1a1a", "#6b6b6b", "#d9d9d9", "#c2410c", "#2563a8"
MISSING = "no pictures: matplotlib is not installed (pip install 'kernelwright[profile]')"


def pictures(trace: Trace, roofline: Roofline | None, title: str) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The timeline of one call, and the roofline where there is one; notes say what could not be drawn."""
    if not _can_draw():
        return (), (MISSING,)
    from kernelwright.judge.profiling import draw_roofline, draw_timeline

    drawn = [draw_timeline.timeline(trace, title)]
    if roofline is not None:
        drawn.append(draw_roofline.roofline(roofline, title))
    return tuple(drawn), ()


def metal_pictures(work: MetalWork, roofline: Roofline) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The roofline of an Apple GPU with one mark a kernel. There is no timeline: nothing was timed."""
    if not _can_draw():
        return (), (MISSING,)
    from kernelwright.judge.profiling import draw_roofline

    return (draw_roofline.metal(work, roofline),), ()


def _can_draw() -> bool:
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def figure(height: float) -> "Figure":
    """An empty figure that needs no display and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(INCHES_WIDE, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    return made


def plain_axes(axes: "Axes") -> None:
    """No frame but the two axes that carry numbers."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=11)


def png(made: "Figure") -> bytes:
    from io import BytesIO

    stream = BytesIO()
    made.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()


def safe(name: str, width: int) -> str:
    """A candidate's name as text of a picture: no formula, no letter that the font lacks, not too long."""
    plain = name.encode("ascii", "replace").decode()
    short = plain if len(plain) <= width else plain[: max(1, width - 3)] + "..."
    return short.replace("$", r"\$")


def quantity(value: float, unit: str) -> str:
    """``19.3 GB/s``, ``2.62 TFLOP/s``."""
    for factor, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}{unit}"
    return f"{value:.3g} {unit}"


def duration(ms: float) -> str:
    """``1.24 ms``, ``83 µs``, ``1.5 s``."""
    if ms >= 1000:
        return f"{ms / 1000:.3g} s"
    return f"{ms:.3g} ms" if ms >= 1 else f"{1000 * ms:.3g} µs"
