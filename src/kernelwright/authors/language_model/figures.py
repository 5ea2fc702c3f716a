"""Figures and code as prompts show them. Imports no torch."""

import re

from kernelwright.schema import Interval

_STEPS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size(value: float) -> str:
    """``64 MiB``, ``1.5 KiB``, ``12 B``."""
    for step, unit in _STEPS:
        if value >= step:
            return f"{value / step:.3g} {unit}" if value < 1000 * step else f"{value / step:.0f} {unit}"
    return f"{value:.0f} B"


def milliseconds(value: float) -> str:
    return f"{three(value)} ms"


def interval(value: Interval) -> str:
    """``1.23 [1.20, 1.27]``; a point is one number."""
    if value.low == value.median == value.high:
        return _padded(value.median)
    return f"{_padded(value.median)} [{_padded(value.low)}, {_padded(value.high)}]"


def count(value: float) -> str:
    """``4.19 million``; numbers below a million with their thousands apart."""
    for step, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= step:
            return f"{value / step:.3g} {word}"
    return f"{value:,.0f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def three(value: float) -> str:
    """Three significant digits, without an exponent where four digits do."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _padded(value: float) -> str:
    """Three significant digits, zeros at the end included: ``2.00`` says how exact it is."""
    return f"{value:#.3g}".rstrip(".") if 1e-4 < abs(value) < 1000 else three(value)


def fence(text: str, language: str = "") -> str:
    """A fenced block whose fence is longer than every run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    ticks = "`" * (longest + 1)
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def shortened(text: str, characters: int) -> str:
    """At most so many characters of the text, whole lines from its beginning, and a line that says what is left out."""
    if len(text) <= characters:
        return text
    kept = text[:characters].rpartition("\n")[0] or text[:characters]
    return f"{kept}\n[… {len(text) - len(kept):,} more characters left out]"


def first_line(text: str, characters: int = 160) -> str:
    """The text's first line that says something, cut to so many characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
