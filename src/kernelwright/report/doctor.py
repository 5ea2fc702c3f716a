"""What this machine can do, as one page."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kernelwright.schema import DeviceFacts

Line = tuple[str, bool, str, str]
"""Name, whether it is there, detail, the command that brings it."""


def doctor_view(
    head: str, devices: Sequence[tuple[str, DeviceFacts | None, str | None]], sections: Mapping[str, Sequence[Line]]
) -> RenderableType:
    """``devices``: platform, its facts where available, why not otherwise."""
    rows: list[Line] = [(name, facts is not None, _describe(facts, why_not), "") for name, facts, why_not in devices]
    tables = [_section("devices", rows), *(_section(title, lines) for title, lines in sections.items())]
    return Group(Text(head, style="bold"), *tables)


def _section(title: str, lines: Sequence[Line]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=2, justify="right")
    table.add_column(min_width=18, no_wrap=True)
    table.add_column(overflow="fold")
    for name, available, detail, fix in lines:
        mark = Text("✓", style="green") if available else Text("–", style="yellow")
        said = Text(detail)
        if fix:
            said.append("  → ").append(fix, style="bold")
        table.add_row(mark, Text(name), said)
    return Group(Text(f"\n{title}", style="bold"), table)


def _describe(facts: DeviceFacts | None, why_not: str | None) -> str:
    if facts is None:
        return why_not or "not available"
    parts = [facts.name, f"{facts.memory_bytes / 2**30:.0f} GiB"]
    if facts.cores:
        parts.append(f"{facts.cores} cores")
    if facts.cache_bytes:
        parts.append(f"{facts.cache_bytes / 2**20:.0f} MiB last-level cache")
    return " · ".join(parts)
