"""One profile in full: operations, where the module stands under the roofline, and the recommendation."""

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kernelwright.report import words
from kernelwright.report.metal import metal_view
from kernelwright.schema import Advice, Operation, Profile, Roofline, Verdict

MOST_OPERATIONS = 15


def profile_view(
    verdict: Verdict, profile: Profile | None, advice: Advice | None, files: Sequence[str] = (), title: str = ""
) -> RenderableType:
    """Everything that is known, the recommendation last. Says so where the candidate is not correct."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("candidate", words.status(verdict.status, verdict.rule))
    parts: list[RenderableType] = [facts]
    if not verdict.ok:
        said = verdict.feedback.splitlines()[0] if verdict.feedback else ""
        parts.append(Text(f"not correct, so its times say little: {said}".rstrip(": "), style="yellow"))
    if profile is None:
        parts.append(Text("nothing here can tell where its time goes", style="yellow"))
        return _panel(parts, title)
    facts.add_row("on", Text(" · ".join(filter(None, (profile.platform, profile.device, profile.tool)))))
    if profile.wall_ms is not None:
        facts.add_row("one call", Text(_times(profile)))
    if profile.operations and profile.metal is None:
        parts.append(_operations(profile.operations))
    if profile.metal is not None:
        parts.append(metal_view(profile.metal))
    if profile.roofline is not None:
        parts.append(_roofline(profile.roofline))
    if profile.counters and profile.metal is None:
        counted = "  ".join(f"{name} {value:.4g}" for name, value in profile.counters.items())
        parts.append(Text(f"counters  {counted}", style="dim"))
    if profile.notes:
        parts.append(Text("\n".join(f"note: {note}" for note in profile.notes), style="dim"))
    if files:
        parts.append(Text("\n".join(files)))
    if advice is not None:
        parts.append(_advice(advice))
    return _panel(parts, title)


def _panel(parts: list[RenderableType], title: str) -> Panel:
    spaced = [Padding(part, (0, 0, 1, 0)) for part in parts[:-1]] + parts[-1:]
    return Panel(Group(*spaced), title=Text(title or "profile", style="bold"), title_align="left")


def _times(profile: Profile) -> str:
    whole = f"{profile.wall_ms or 0.0:.4g} ms"
    if profile.device_ms is None:
        return whole
    what = "in operators" if profile.platform == "cpu" else "the device works"
    return f"{whole}, {profile.device_ms:.4g} ms of it {what}"


def _operations(operations: Sequence[Operation]) -> RenderableType:
    """Columns of which nothing is known are left out."""
    columns: list[tuple[str, Callable[[Operation], str | None]]] = [
        ("launches", lambda op: f"{op.launches:.3g}"),
        ("device ms", lambda op: _number(op.device_ms)),
        ("host ms", lambda op: _number(op.host_ms)),
        ("MB", lambda op: _number(None if op.bytes_moved is None else op.bytes_moved / 1e6)),
        ("GFLOP", lambda op: _number(None if op.flops is None else op.flops / 1e9)),
        ("occupancy", lambda op: None if op.occupancy is None else words.percent(op.occupancy)),
        ("registers", lambda op: None if op.registers is None else str(op.registers)),
        ("shared bytes", lambda op: None if op.shared_bytes is None else str(op.shared_bytes)),
    ]
    known = [(name, cell) for name, cell in columns if any(cell(op) is not None for op in operations)]
    table = Table(box=None, pad_edge=False)
    table.add_column("operation, own time", no_wrap=True, max_width=44)
    for name, _ in known:
        table.add_column(name, justify="right")
    for op in operations[:MOST_OPERATIONS]:
        table.add_row(Text(op.name, overflow="ellipsis"), *(cell(op) or "–" for _, cell in known))
    rest = len(operations) - MOST_OPERATIONS
    return Group(table, Text(f"and {rest} shorter ones", style="dim")) if rest > 0 else table


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"


def _roofline(found: Roofline) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("roofline", "at", "takes", "reached"):
        table.add_column(name)
    rows = (
        (f"{found.bytes_moved / 1e6:.4g} MB to move", f"{found.bandwidth / 1e9:.4g} GB/s",
         1e3 * found.bytes_moved / found.bandwidth if found.bandwidth else 0.0),
        (f"{found.flops / 1e9:.4g} GFLOP", f"{found.flop_rate / 1e9:.4g} GFLOP/s",
         1e3 * found.flops / found.flop_rate if found.flop_rate else 0.0),
    )  # fmt: skip
    for what, rate, ms in rows:
        table.add_row(what, rate, f"{ms:.3g} ms", words.percent(ms / found.time_ms if found.time_ms else None))
    return table


def _advice(advice: Advice) -> RenderableType:
    found = advice.recommendation
    if found is None:
        return Text(f"no recommendation: {advice.failure}", style="yellow")
    head = Text.assemble(
        (f"{advice.analyst}: {found.bottleneck.value.replace('_', ' ')}", "bold"),
        f"  expected {found.expected_gain:.2f}×, confidence {words.percent(found.confidence)}",
    )
    return Group(head, Text(found.change), Text(found.evidence, style="dim"))
