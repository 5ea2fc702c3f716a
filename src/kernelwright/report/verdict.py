"""One verdict in full."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kernelwright.report import words
from kernelwright.report.metal import metal_view
from kernelwright.schema import Accuracy, Isolation, Limits, Timing, Verdict


def verdict_view(verdict: Verdict, title: str = "") -> RenderableType:
    """Status and rule, accuracy, timing, limits, warnings and the feedback an author gets."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("status", words.status(verdict.status, verdict.rule))
    facts.add_row("on", Text(" · ".join(filter(None, (verdict.platform, verdict.device, verdict.target.value)))))
    facts.add_row("isolation", _isolation(verdict))
    _add(facts, "labels", verdict.labels)
    _add(facts, "problem", verdict.problem_labels)
    if verdict.speedup.eager is not None:
        facts.add_row("vs eager", words.vs_eager(verdict.speedup))
    if verdict.speedup.best_baseline is not None:
        facts.add_row(words.versus(verdict.speedup), words.vs_best(verdict.speedup))
    parts: list[RenderableType] = [facts]
    if verdict.accuracy is not None:
        parts.append(_accuracy(verdict.accuracy))
    if verdict.timing is not None:
        parts.append(_timing(verdict.timing))
    if verdict.limits is not None:
        parts.append(_limits(verdict.limits))
    if verdict.metal is not None:
        parts.append(metal_view(verdict.metal))
    elif verdict.not_timed is not None:
        parts.append(Text(verdict.not_timed, style="bold"))
    if verdict.warnings:
        parts.append(Text("\n".join(f"warning: {warning}" for warning in verdict.warnings), style="yellow"))
    if verdict.feedback:
        parts.append(Text.assemble(("feedback\n", "dim"), verdict.feedback))
    if verdict.seconds:
        spent = "  ".join(f"{stage} {words.seconds(value)}" for stage, value in verdict.seconds.items())
        parts.append(Text(f"judged in  {spent}", style="dim"))
    heading = title or verdict.problem or "verdict"
    spaced = [Padding(part, (0, 0, 1, 0)) for part in parts[:-1]] + parts[-1:]
    return Panel(Group(*spaced), title=Text(heading, style="bold"), title_align="left")


def _isolation(verdict: Verdict) -> Text:
    said = verdict.isolation.value if verdict.isolation is not Isolation.NONE else "none: it ran with your rights"
    held = ", ".join(layer.value.replace("_", " ") for layer in verdict.layers)
    return Text(f"{said} ({held})" if held else said)


def _add(facts: Table, name: str, values: Iterable[str]) -> None:
    joined = ", ".join(values)
    if joined:
        facts.add_row(name, Text(joined))


def _accuracy(accuracy: Accuracy) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("error against float64", "candidate", "eager"):
        table.add_column(name)
    rows = (
        ("norm", accuracy.candidate_norm, accuracy.eager_norm),
        ("worst element", accuracy.candidate_worst, accuracy.eager_worst),
    )
    for name, candidate, eager in rows:
        table.add_row(name, words.scientific(candidate), words.scientific(eager))
    meets = "  ".join(f"{name.value} {'yes' if ok else 'no'}" for name, ok in accuracy.passes.items())
    draws = f"{accuracy.draws} draws, {accuracy.stress_draws} stress draws"
    return Group(table, Text(f"meets  {meets}   ({draws})", style="dim"))


def _timing(timing: Timing) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("time per call", "median", "95 % interval"):
        table.add_column(name)
    rows = [("candidate", timing.candidate_ms, None)]
    rows += [(words.baseline_name(b.name), b.ms, b.failure) for b in timing.baselines]
    for name, ms, failure in rows:
        if ms is None:
            table.add_row(name, Text("failed", style="yellow"), Text(failure or "", style="dim"))
        else:
            table.add_row(name, words.milliseconds(ms), f"{ms.low:.4g}–{ms.high:.4g} ms")
    counts = f"{timing.blocks} paired blocks, {timing.calls} calls, {timing.rechecked} re-checked"
    return Group(table, Text(counts, style="dim"))


def _limits(limits: Limits) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("limit of this device", "floor", "reached"):
        table.add_column(name)
    moved = f"{limits.bytes_moved / 1e6:.4g} MB to move"
    table.add_row(moved, f"{limits.byte_floor_ms:.3g} ms", words.percent(limits.byte_share))
    work = f"{limits.flops / 1e9:.4g} GFLOP of the reference"
    reached = "less work was done" if limits.less_work else words.percent(limits.work_share)
    table.add_row(work, f"{limits.work_floor_ms:.3g} ms", reached)
    return table
