"""Winners as files that say where they come from."""

import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from kernelwright import __version__
from kernelwright.report.words import baseline_name, times_plain
from kernelwright.schema import UNTIMED, Attempt, Run


def write_winner(run: Run, attempts: Sequence[Attempt], folder: Path, taken: Iterable[Path | None]) -> Path | None:
    """Write the outcome's attempt to ``folder/<problem>.py``; ``None`` where a baseline stays that is no file.

    ``taken``: paths already written by this command; two problems of one name get different files.
    """
    number = run.outcome.attempt if run.outcome else None
    attempt = next((a for a in attempts if a.number == number), None)
    if attempt is None or attempt.candidate is None:
        return None
    stem = re.sub(r"[^\w.+-]", "_", run.settings.problem.name) or "problem"
    path, copy = folder / f"{stem}.py", 2
    while path in set(taken):
        path, copy = folder / f"{stem}-{copy}.py", copy + 1
    path.write_text(header(run, attempt, path) + attempt.candidate.source, encoding="utf-8")
    return path


def header(run: Run, attempt: Attempt, path: Path) -> str:
    """Speedups, device, date, run id, and how to repeat it, as comment lines."""
    verdict, candidate = attempt.verdict, attempt.candidate
    speedup = verdict.speedup
    title = f": {candidate.title}" if candidate and candidate.title else ""
    problem = run.settings.problem.path
    measured = (
        f"{times_plain(speedup.eager)} vs eager, {times_plain(speedup.best_baseline)} vs "
        f"{baseline_name(speedup.best_baseline_name) or 'the best baseline'} (median, 95 % interval)"
    )
    lines = [
        f"Kernelwright {__version__}, {datetime.now(UTC):%Y-%m-%d}: written by {attempt.author}{title}",
        verdict.not_timed or measured,
        f"precision {verdict.precision.value} on {verdict.platform}: {verdict.device}",
        f"run {run.id}, attempt {attempt.number}: kernelwright show {attempt.id}",
    ]
    if run.outcome is not None and run.outcome.winner not in ("attempt", UNTIMED):
        lines.append(f"no candidate beat {baseline_name(run.outcome.winner)}: this file is that baseline")
    if problem is not None:
        lines.append(f"repeat: {shlex.join(['kernelwright', 'judge', problem, str(path)])}")
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + "\n"
