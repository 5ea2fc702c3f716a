"""What the experiment's cells add up to, as text and as the tables of ``docs/accuracy.md``."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from accuracy.causes import cause
from accuracy.experiment import KINDS, MULTIPLES, NATURAL, TRIED, Cell
from kernelwright.problems.stress import CLASS_KINDS, STRESS_KINDS

DTYPES = ("float32", "float16", "bfloat16")
BEGIN, END = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"
Judge = Callable[[Cell], bool]


def mistakes(cells: Iterable[Cell], accepts: Judge) -> tuple[list[Cell], list[Cell]]:
    """(honest ones that are rejected, dishonest ones that are accepted)."""
    wrong = [cell for cell in cells if accepts(cell) != cell.honest]
    return [cell for cell in wrong if cell.honest], [cell for cell in wrong if not cell.honest]


def unexplained(cells: Sequence[Cell]) -> list[Cell]:
    """Mistakes of the rule as it is that no cause is known for."""
    rejected, accepted = mistakes(cells, lambda cell: cell.accepted)
    return [cell for cell in (*rejected, *accepted) if cause(cell) is None]


def summary(cells: Sequence[Cell]) -> str:
    """One line for each dtype."""
    lines: list[str] = []
    for dtype in DTYPES:
        own = [cell for cell in cells if cell.dtype == dtype]
        honest, dishonest = _numbers(own)
        rejected, accepted = mistakes(own, lambda cell: cell.accepted)
        lines.append(
            f"{dtype}: {len(rejected)} of {honest} honest rejected, {len(accepted)} of {dishonest} dishonest accepted"
        )
    return "\n".join(lines)


def _numbers(cells: Sequence[Cell]) -> tuple[int, int]:
    honest = sum(cell.honest for cell in cells)
    return honest, len(cells) - honest


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table whose first ``left`` columns are words."""
    marks = ["---" if k < left else "---:" for k in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *rows))


def tables(cells: Sequence[Cell]) -> str:
    """The generated part of the page."""
    parts = [
        "### Three rules on the same outputs",
        _rules(cells),
        "### The multiple",
        _sweep(cells),
        "### Ratios of errors",
        _ratios(cells),
        "### What each kind of draw finds",
        _draws(cells),
        "### Honest, and rejected",
        _list(mistakes(cells, lambda cell: cell.accepted)[0]),
        "### Dishonest, and accepted",
        _list(mistakes(cells, lambda cell: cell.accepted)[1]),
    ]
    return "\n\n".join(parts)


def _rules(cells: Sequence[Cell]) -> str:
    rows: list[list[str]] = []
    judges: dict[str, Judge] = {
        "`strict`": lambda cell: cell.accepted,
        "`kernelbench`": lambda cell: cell.kernelbench,
        "`gimlet`": lambda cell: cell.gimlet,
    }
    for dtype in DTYPES:
        own = [cell for cell in cells if cell.dtype == dtype]
        honest, dishonest = _numbers(own)
        for name, accepts in judges.items():
            rejected, accepted = mistakes(own, accepts)
            share = 100 * len(accepted) / max(dishonest, 1)
            rows.append(
                [dtype, name, str(honest), str(len(rejected)), str(dishonest), f"{len(accepted)} ({share:.1f} %)"]
            )
    return table(("dtype", "rule", "honest", "rejected", "dishonest", "accepted"), rows, left=2)


def _sweep(cells: Sequence[Cell]) -> str:
    rows: list[list[str]] = []
    for dtype in DTYPES:
        own = [cell for cell in cells if cell.dtype == dtype]
        base = 8 if dtype == "float32" else 4
        for name, which in (("honest rejected", 0), ("dishonest accepted", 1)):
            counts = [str(len(mistakes(own, lambda cell, m=m: cell.passes(m))[which])) for m in MULTIPLES]
            rows.append([f"{dtype}, K = {base} × …", name, *counts])
    names = [f"1/{round(1 / m)}" if m < 1 else f"{m:g}" for m in MULTIPLES]
    head = ("", "", *(f"**{name}**" if m == 1 else name for name, m in zip(names, MULTIPLES, strict=True)))
    return table(head, rows, left=2)


def _ratios(cells: Sequence[Cell]) -> str:
    groups: dict[tuple[str, bool, str], list[float]] = defaultdict(list)
    for cell in cells:
        if cell.to_eager is not None:
            groups[cell.dtype, not cell.honest, cell.kind].append(cell.to_eager)
    rows: list[list[str]] = []
    for (dtype, dishonest, kind), ratios in sorted(groups.items(), key=lambda g: (DTYPES.index(g[0][0]), g[0][1:])):
        low, middle, high = (_quantile(ratios, q) for q in (0.05, 0.5, 0.95))
        ends = [f"{value:.3g}" for value in (min(ratios), low, middle, high, max(ratios))]
        rows.append([dtype, "dishonest" if dishonest else "honest", kind, str(len(ratios)), *ends])
    return table(("dtype", "", "kind", "cells", "least", "5 %", "median", "95 %", "most"), rows, left=3)


def _quantile(values: Sequence[float], share: float) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(100 * share) - 1]


def _draws(cells: Sequence[Cell]) -> str:
    dishonest = [cell for cell in cells if not cell.honest]
    past = [cell for cell in dishonest if not set(cell.caught_by) & set(NATURAL)]
    honest = [cell for cell in cells if cell.honest and not set(cell.caught_by) & set(NATURAL)]
    kinds = [kind for kind in KINDS if kind not in NATURAL]
    rows: list[list[str]] = []
    for dtype in DTYPES:
        for family in sorted({cell.family for cell in past if cell.dtype == dtype}):
            own = [cell for cell in past if (cell.dtype, cell.family) == (dtype, family)]
            found = Counter(kind for cell in own for kind in cell.caught_by)
            planned = {kind for cell in own for kind in cell.plan}
            shown = [f"**{found[kind]}**" if kind in planned and found[kind] else str(found[kind]) for kind in kinds]
            rows.append([dtype, family, str(len(own)), *shown, str(sum(cell.accepted for cell in own))])
    against = Counter(kind for cell in honest for kind in cell.caught_by)
    rows.append(["all", "honest ones rejected", "", *(str(against[kind]) for kind in kinds), ""])
    marks = {kind: f"`{kind}`" for kind in (*STRESS_KINDS, *CLASS_KINDS)} | {kind: f"_{kind}_" for kind in TRIED}
    return table(("dtype", "family", "past natural", *(marks[k] for k in kinds), "accepted"), rows, left=2)


def _list(cells: Sequence[Cell]) -> str:
    """One row for each variant, its dtypes and sizes together, grouped by cause."""
    grouped: dict[tuple[str, str, str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        grouped[cause(cell) or "not known", cell.operator, cell.variant, cell.dtype].append(cell)
    by_cause: dict[str, list[str]] = defaultdict(list)
    for (why, operator, variant, dtype), own in sorted(grouped.items()):
        share = max(cell.to_bound for cell in own)
        error = max(cell.error for cell in own)
        sizes = ", ".join("×".join(map(str, cell.size)) for cell in own)
        told = "not finite" if share > 1e20 else f"{share:.2g} of the bound"
        by_cause[why].append(f"{operator}: {variant} ({dtype}; {sizes}; error {error:.2g} units, {told})")
    parts = [
        f"**{why}** ({len(lines)})\n\n" + "\n".join(f"- {line}" for line in lines) for why, lines in by_cause.items()
    ]
    return "\n\n".join(parts) if parts else "None."


def write_between_markers(page: Path, text: str) -> None:
    """Replaces what stands between the markers. Raises ``ValueError`` where the page has none."""
    whole = page.read_text()
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
