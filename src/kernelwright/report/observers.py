"""Observers of a run: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from typing import IO

from rich.console import Console, RenderableType
from rich.live import Live

from kernelwright.report import words
from kernelwright.report.run import live_table
from kernelwright.schema import UNTIMED, Attempt, BaselineTiming, Run, Target


class LinesObserver:
    """One line per event on ``file`` (default: standard error)."""

    def __init__(self, file: IO[str] | None = None, prefix: str = "") -> None:
        """``prefix``: what stands before each line, where several runs write to the same place."""
        self._file, self._prefix = file, prefix

    def run_started(self, run: Run, attempts: tuple[Attempt, ...]) -> None:
        self._say(
            f"{run.settings.problem.name}: run {run.id}" + (f", {len(attempts)} attempts stored" if attempts else "")
        )

    def baselines_timed(self, baselines: tuple[BaselineTiming, ...]) -> None:
        for baseline in baselines:
            said = words.milliseconds(baseline.ms) if baseline.ms else f"failed: {baseline.failure}"
            self._say(f"  baseline {words.baseline_name(baseline.name)}: {said}")

    def attempt_started(self, number: int, author: str) -> None: ...

    def attempt_finished(self, attempt: Attempt, best: Attempt | None) -> None:
        verdict = attempt.verdict
        title = attempt.candidate.title if attempt.candidate else ""
        parts = [f"  {attempt.number} {attempt.author}", title, verdict.status.value, verdict.rule or ""]
        if verdict.speedup.eager is not None:
            parts.append(f"{words.times_plain(verdict.speedup.eager)} vs eager")
        if verdict.speedup.best_baseline is not None:
            parts.append(f"{words.times_plain(verdict.speedup.best_baseline)} {words.versus(verdict.speedup)}")
        if attempt.exchanges:
            parts.append(words.cost(attempt.cost_usd))
        if best is not None and best.number == attempt.number:
            parts.append("best so far")
        self._say(" · ".join(filter(None, parts)))

    def author_finished(self, author: str, reason: str) -> None:
        self._say(f"  {author}: {reason}")

    def run_finished(self, run: Run) -> None:
        winner = run.outcome.winner if run.outcome else "eager"
        number = f" {run.outcome.attempt}" if run.outcome and winner in ("attempt", UNTIMED) else " stays"
        name = f"winner: {words.baseline_name(winner)}"
        if winner == UNTIMED:
            chosen = "least work" if run.settings.target is Target.METAL else "correct"
            name = f"nothing was timed, {chosen}: attempt"
        self._say(f"  {name}{number} after {words.seconds(run.elapsed_seconds)}")

    def _say(self, line: str) -> None:
        print(self._prefix + line, file=self._file or sys.stderr, flush=True)


class LiveObserver:
    """The live table, redrawn as the clock ticks. ``close`` leaves its last state standing."""

    def __init__(self, console: Console) -> None:
        self._run: Run | None = None
        self._attempts: list[Attempt] = []
        self._baselines: tuple[BaselineTiming, ...] = ()
        self._best: Attempt | None = None
        self._doing = ""
        self._writing: dict[str, None] = {}
        self._began = 0.0
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=False)

    def run_started(self, run: Run, attempts: tuple[Attempt, ...]) -> None:
        self._run, self._attempts = run, list(attempts)
        self._began = time.monotonic() - run.elapsed_seconds
        self._doing = "timing the baselines"
        self._live.start()

    def baselines_timed(self, baselines: tuple[BaselineTiming, ...]) -> None:
        self._baselines = baselines

    def attempt_started(self, number: int, author: str) -> None:
        self._writing[author] = None

    def attempt_finished(self, attempt: Attempt, best: Attempt | None) -> None:
        self._writing.pop(attempt.author, None)
        self._attempts.append(attempt)
        self._best = best

    def author_finished(self, author: str, reason: str) -> None:
        self._writing.pop(author, None)

    def run_finished(self, run: Run) -> None:
        self._writing.clear()
        self._doing = "done"
        self.close()

    def close(self) -> None:
        if self._live.is_started:
            self._live.stop()

    def _render(self) -> RenderableType:
        if self._run is None:
            return ""
        elapsed = time.monotonic() - self._began
        doing = f"at work: {', '.join(self._writing)}" if self._writing else self._doing
        return live_table(self._run, self._attempts, self._baselines, elapsed=elapsed, doing=doing, best=self._best)
