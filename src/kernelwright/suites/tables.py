"""Scores as text: tables for a terminal, or in Markdown for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernelwright.report.words import seconds
from kernelwright.schema import Interval
from kernelwright.suites.records import BEST
from kernelwright.suites.runner import Progress
from kernelwright.suites.scores import AgainstScore, GroupScore, PlaceScore, SuiteScore

if TYPE_CHECKING:
    from rich.console import RenderableType

NAMES = {"eager": "eager", "compile": "torch.compile", "compile-max-autotune": "max-autotune", BEST: "the best of them"}

SPENT = {
    "gate": "waiting for the device",
    "preparing": "preparing",
    "building": "building baselines",
    "timing_baselines": "timing them",
    "writing": "writing candidates",
    "checking": "checking them",
    "timing": "timing candidates",
}
"""The fields of ``Spent`` in words."""


@dataclass(frozen=True)
class Sheet:
    """One table. The first column is text, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def sheets(score: SuiteScore) -> list[Sheet]:
    found: list[Sheet] = []
    for whole in score.places:
        place = whole.model_copy(update={"groups": _worth_a_row(whole.groups)})
        where = f"{score.suite}, {place.device}, torch {place.torch}, precision {score.precision}"
        found += [_problems(place, where), _speedups(place), _fast(place), _holding_back(place)]
    return found


def _worth_a_row(groups: Sequence[GroupScore]) -> tuple[GroupScore, ...]:
    """Without a single level, which is all of them, and without groups from which nothing was left out."""
    levels = {group.group for group in groups} - {"all"}
    whole = {group.group: group.problems for group in groups if group.degenerate}
    return tuple(
        group
        for group in groups
        if (group.group == "all" or len(levels) > 1) and (group.degenerate or group.problems != whole[group.group])
    )


def markdown(score: SuiteScore) -> str:
    parts: list[str] = []
    for sheet in sheets(score):
        lines = [f"**{sheet.title}**", "", _row(sheet.columns), "|---" + "|---:" * (len(sheet.columns) - 1) + "|"]
        lines += [_row(row) for row in sheet.rows]
        parts.append("\n".join((*lines, *(f"\n{note}" for note in sheet.notes))))
    return "\n\n".join(parts) + "\n"


def renderables(score: SuiteScore) -> "list[RenderableType]":
    """For a terminal."""
    from rich.table import Table
    from rich.text import Text

    found: list[RenderableType] = []
    for sheet in sheets(score):
        table = Table(title=Text(sheet.title), title_justify="left", title_style="bold")
        for k, name in enumerate(sheet.columns):
            table.add_column(name, justify="right" if k else "left", overflow="fold")
        for row in sheet.rows:
            table.add_row(*map(Text, row))
        found += [table, *map(Text, sheet.notes)]
    return found


def line(progress: Progress) -> str:
    """``[3/50] level1/19_ReLU: rewriter: … · 2.00× eager, 1.20× the best · 41 s · 12 min left``."""
    record = progress.record
    gains = [f"{record.speedups[k].median:.2f}× {NAMES[k]}" for k in ("eager", BEST) if k in record.speedups]
    what = record.outcome + (f" · {', '.join(gains)}" if gains and record.winner is not None else "")
    what += " · cut short" if record.cut_short else ""
    what += " (to be tried again, alone)" if progress.again else ""
    left = f" · about {seconds(progress.seconds_left)} left" if progress.done < progress.of else ""
    return f"[{progress.done}/{progress.of}] {record.title}: {what} · {seconds(record.wall_seconds)}{left}"


def _problems(place: PlaceScore, where: str) -> Sheet:
    rows = [
        (_name(g), str(g.problems), str(g.judged), str(g.correct), str(g.won), _share(g.byte_share),
         _share(g.work_share))
        for g in place.groups
    ]  # fmt: skip
    notes: tuple[str, ...] = ()
    if place.problems_per_hour is not None and place.device_share is not None:
        notes = (
            f"{place.problems_per_hour:.1f} problems an hour and device; it worked in timed or checked calls for "
            f"{_share(place.device_share)} of {place.wall_seconds / 3600:.2f} hours.",
        )
    if place.spent is not None:
        parts = (f"{seconds(getattr(place.spent, name))} {words}" for name, words in SPENT.items())
        notes += (f"The problems' own time: {', '.join(parts)}.",)
    if place.cut_short:
        notes += (f"A time limit cut {place.cut_short} of them short: --resume does these again.",)
    columns = ("problems", "all", "judged", "correct", "won", "of the byte limit", "of the work limit")
    return Sheet(where, columns, tuple(rows), notes)


def _speedups(place: PlaceScore) -> Sheet:
    rows = [
        (f"{_name(g)}, against {NAMES.get(a.baseline, a.baseline)}", _times(a.geometric_mean),
         _times(a.geometric_mean_correct), "–" if a.median is None else f"{a.median:.2f}", str(a.below),
         str(a.problems))
        for g in place.groups
        for a in g.against
    ]  # fmt: skip
    note = (
        "Geometric means with 95 % bootstrap intervals over problems. Over all problems, one without a winner counts "
        "1.00: its module stays as it is."
    )
    if any(a.without_baseline for g in place.groups for a in g.against):
        note += " Problems whose baseline could not be timed are left out of the rows of that baseline."
    if of_whom := _inexact(place.groups[-1] if place.groups[-1].degenerate else place.groups[-2]):
        note += f" {of_whom}"
    columns = ("speed-up", "over all", "over correct", "median", "below 0.98", "problems")
    return Sheet("Speed-ups", columns, tuple(rows), (note,))


def _inexact(everything: GroupScore) -> str:
    """Which baselines the accuracy rule would not let pass; empty where it would all."""
    found = [f"{NAMES.get(a.baseline, a.baseline)} in {a.inexact}" for a in everything.against if a.inexact]
    said = f"The answer of {', of '.join(found)} of {everything.problems} problems"
    return f"{said} would be rejected as a candidate's; it counts all the same." if found else ""


def _fast(place: PlaceScore) -> Sheet:
    thresholds = [f"fast_{f.p:g}" for f in place.groups[-1].against[0].fast_p]
    rows = [_fast_row(g, a) for g in place.groups for a in g.against]
    return Sheet("Share of problems that are correct and faster than p × the baseline", ("", *thresholds), tuple(rows))


def _fast_row(group: GroupScore, against: AgainstScore) -> tuple[str, ...]:
    name = f"{_name(group)}, against {NAMES.get(against.baseline, against.baseline)}"
    return (name, *(_share(f.share) for f in against.fast_p))


def _holding_back(place: PlaceScore) -> Sheet:
    rows = [(h.problem, f"{h.speedup:.2f}", _share(h.limit_share), h.winner) for h in place.holding_back]
    title = "Problems that hold the mean against the best baseline back most"
    return Sheet(title, ("problem", "speed-up", "of its limit", "winner"), tuple(rows))


def _name(group: GroupScore) -> str:
    return group.group + ("" if group.degenerate else ", not degenerate")


def _times(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval.median:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
