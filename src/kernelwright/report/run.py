"""Tables of runs: one while it goes on, one of its end, one over many."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kernelwright.report import words
from kernelwright.schema import UNTIMED, Attempt, BaselineTiming, Outcome, Run, RunState, Speedup
from kernelwright.store import RunSummary


def live_table(
    run: Run,
    attempts: Sequence[Attempt],
    baselines: Sequence[BaselineTiming],
    *,
    elapsed: float,
    doing: str,
    best: Attempt | None,
) -> RenderableType:
    """Authors × attempts, the best so far, time spent. ``elapsed`` in seconds, ``doing`` in a few words."""
    head = Text.assemble((run.settings.problem.name, "bold"), (f"  {run.id}", "dim"))
    foot = Text.assemble(("best so far  ", "dim"), _leader(best, baselines))
    budget = run.settings.budget
    spent = words.spent(budget, elapsed, len(attempts)) + words.spent_on_models(budget, attempts)
    clock = Text(f"{spent}   {doing}", style="dim")
    return Panel(
        Group(_baselines_line(baselines), attempts_table(attempts, best), foot, clock), title=head, title_align="left"
    )


def attempts_table(attempts: Sequence[Attempt], best: Attempt | None = None) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for name in ("#", "author", "candidate", "status", "vs eager", "vs best baseline"):
        table.add_column(
            name, no_wrap=name != "candidate", overflow="ellipsis", justify="right" if name == "#" else "left"
        )
    for attempt in attempts:
        verdict = attempt.verdict
        leads = best is not None and attempt.number == best.number
        table.add_row(
            str(attempt.number),
            Text(attempt.author),
            Text(attempt.candidate.title if attempt.candidate else "–"),
            words.status(verdict.status, verdict.rule),
            words.vs_eager(verdict.speedup),
            words.vs_best(verdict.speedup),
            style="bold" if leads else "",
        )
    return table


def result_table(runs: Sequence[tuple[Run, Attempt | None]]) -> Table:
    """One line per problem. With each run the attempt that its outcome names, if any."""
    table = Table(title="Results", title_justify="left", title_style="bold")
    for name in ("problem", "winner", "vs eager", "vs best baseline", "best baseline", "time"):
        table.add_column(name, no_wrap=name in ("problem", "vs eager", "vs best baseline"))
    for run, attempt in runs:
        outcome = run.outcome or Outcome(winner="eager")
        table.add_row(
            Text(run.settings.problem.name),
            _winner(outcome, attempt),
            words.vs_eager(outcome.speedup),
            words.vs_best(outcome.speedup),
            words.baseline_name(outcome.speedup.best_baseline_name),
            _times_of(attempt, outcome),
        )
    return table


def run_view(run: Run, attempts: Sequence[Attempt]) -> RenderableType:
    """A run with all its attempts and its outcome."""
    settings, outcome = run.settings, run.outcome
    facts = Table.grid(padding=(0, 2))
    facts.add_row("problem", Text(f"{settings.problem.name} ({settings.problem.path or settings.problem.format})"))
    facts.add_row("created", run.created)
    facts.add_row("state", run.state.value)
    facts.add_row("platform", settings.platform)
    facts.add_row("precision", settings.precision.value)
    facts.add_row("authors", Text(", ".join(settings.authors)))
    facts.add_row("policy", settings.policy.value)
    if settings.context:
        facts.add_row("context", ", ".join(sorted(settings.context)))
    spent = words.spent(settings.budget, run.elapsed_seconds, len(attempts))
    facts.add_row("spent", spent + words.spent_on_models(settings.budget, attempts))
    parts: list[RenderableType] = [facts]
    winner = None
    if outcome is not None:
        winner = next((a for a in attempts if a.number == outcome.attempt), None)
        parts += [_baselines_line(outcome.baselines)]
        facts.add_row("winner", _winner(outcome, winner))
        if outcome.problem_labels:
            facts.add_row("labels", Text(", ".join(outcome.problem_labels)))
    parts.append(attempts_table(attempts, winner))
    return Panel(Group(*parts), title=Text(run.id, style="bold"), title_align="left")


def runs_table(runs: Sequence[RunSummary]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("run", "problem", "platform", "state", "attempts", "winner", "vs eager", "vs best baseline"):
        table.add_column(name, no_wrap=name == "run", overflow="fold")
    for run in runs:
        outcome = run.outcome
        winner = (
            "" if outcome is None else f"attempt {outcome.attempt}" if outcome.winner == "attempt" else outcome.winner
        )
        table.add_row(
            run.id,
            Text(run.problem),
            run.platform,
            Text(run.state.value, style="green" if run.state is RunState.FINISHED else "yellow"),
            str(run.attempts),
            winner,
            words.vs_eager(outcome.speedup if outcome else Speedup()),
            words.vs_best(outcome.speedup if outcome else Speedup()),
        )
    return table


def _baselines_line(baselines: Sequence[BaselineTiming]) -> Text:
    line = Text("baselines    ", style="dim") if baselines else Text("nothing is timed here", style="dim")
    for baseline in baselines:
        name = words.baseline_name(baseline.name)
        said = words.milliseconds(baseline.ms) if baseline.ms else f"failed: {(baseline.failure or '')[:60]}"
        line.append(f"{name} ", style="dim").append(said, style="" if baseline.ms else "yellow").append("   ")
    return line


def _leader(best: Attempt | None, baselines: Sequence[BaselineTiming]) -> Text:
    if best is None:
        return Text("the best baseline" if baselines else "–", style="dim")
    speedup = best.verdict.speedup
    return Text.assemble(
        f"attempt {best.number} by {best.author}: ",
        words.vs_eager(speedup),
        (" vs eager, ", "dim"),
        words.vs_best(speedup),
        (f" {words.versus(speedup)}", "dim"),
    )


def _winner(outcome: Outcome, attempt: Attempt | None) -> Text:
    if outcome.winner in ("attempt", UNTIMED) and attempt is not None:
        title = attempt.candidate.title if attempt.candidate else ""
        text = Text(f"{attempt.author}" + (f": {title}" if title else ""), style="bold")
        return text if outcome.winner == "attempt" else text.append(" (checked, not timed)", style="not bold")
    return Text(f"{words.baseline_name(outcome.winner)} stays", style="dim")


def _times_of(attempt: Attempt | None, outcome: Outcome) -> str:
    eager = next((b.ms for b in outcome.baselines if b.name == "eager"), None)
    if attempt is not None and attempt.verdict.timing is not None:
        timing = attempt.verdict.timing
        eager = next((b.ms for b in timing.baselines if b.name == "eager"), eager)
        return f"{words.milliseconds(eager)} → {words.milliseconds(timing.candidate_ms)}"
    stays = next((b.ms for b in outcome.baselines if b.name == outcome.winner), eager)
    return f"{words.milliseconds(eager)} → {words.milliseconds(stays)}"
