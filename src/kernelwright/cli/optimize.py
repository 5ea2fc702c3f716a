"""``kernelwright optimize``: problems in, verified faster modules out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options
from kernelwright.cli.usage import INTERRUPTED, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernelwright.schema import Attempt, Run, RunSettings
    from kernelwright.store import Store
    from kernelwright.swarm import Observer

DEFAULT_BUDGET = "5m"


def optimize(
    problems: Annotated[list[str] | None, typer.Argument(metavar="PROBLEM...", help="Problem files.")] = None,
    *,
    target: options.Target = None,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Who writes: a name, file:PATH, PROVIDER:MODEL; may be repeated.", metavar="NAME"),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help=f"Per problem: 5m, 90s, 20 (attempts) or 20,5m.  [default: {DEFAULT_BUDGET}]")
    ] = None,
    precision: options.Precision = "strict",
    platform: options.Platform = None,
    out: Annotated[str, typer.Option(help="Where winners are written.", metavar="DIR")] = "kernelwright-out",
    resume: Annotated[str | None, typer.Option(help="Go on with a stored run.", metavar="RUN")] = None,
    as_json: options.Json = False,
    unsafe: options.Unsafe = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show the result only.")] = False,
) -> None:
    """Let authors write candidates, judge each, keep the best."""
    from contextlib import nullcontext

    from kernelwright.cli import given, output

    if bool(problems) == (resume is not None):
        fail("name at least one PROBLEM file, or a run to go on with: --resume RUN")
    if resume is not None and (target, author, precision, platform) != (None, None, "strict", None):
        fail("a resumed run keeps its own target, authors, precision and platform: only --budget can be new")
    folder = _folder(out)
    with given.store() as store, output.quiet_stdout() if as_json else nullcontext():
        work = _Work(store, folder, unsafe=unsafe, quiet=quiet)
        if resume is not None:
            work.resume(resume, budget)
        else:
            for settings in _all_settings(problems or [], target, author, budget, precision, platform):
                work.start(settings)
    if as_json:
        output.print_object(work.as_object())
    else:
        work.show()


def _all_settings(
    problems: list[str],
    target: str | None,
    author: list[str] | None,
    *rest: str | None,
) -> "list[RunSettings]":
    """Everything is checked before the first run begins."""
    from kernelwright.cli import given
    from kernelwright.schema import RunSettings

    budget, precision, platform = rest
    language = given.target(target)
    spend = given.budget(budget or DEFAULT_BUDGET)
    rule = given.precision(precision or "strict")
    read = [given.problem(path) for path in problems]
    device = given.platform(platform).name
    names = given.authors(author, language)
    return [
        RunSettings(problem=p, target=language, authors=names, budget=spend, precision=rule, platform=device)
        for p in read
    ]


def _folder(out: str) -> Path:
    """Made before the work begins, for nobody wants to learn after five minutes that it cannot be written."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot write to {out}: {error.strerror or error}")
    return folder


class _Work:
    """The runs of one command, one after the other, and what came of them."""

    def __init__(self, store: "Store", folder: Path, *, unsafe: bool, quiet: bool) -> None:
        self._store, self._folder, self._unsafe, self._quiet = store, folder, unsafe, quiet
        self._done: list[tuple[Run, tuple[Attempt, ...], Path | None]] = []

    def start(self, settings: "RunSettings") -> None:
        from kernelwright.swarm.start import start_run

        self._run(lambda observer: start_run(settings, self._store, observer, unsafe=self._unsafe))

    def resume(self, run_id: str, budget: str | None) -> None:
        from kernelwright.cli import given
        from kernelwright.cli.usage import usage_errors
        from kernelwright.store import NotStoredError
        from kernelwright.swarm.start import resume_run

        more = given.budget(budget) if budget is not None else None
        with usage_errors(NotStoredError):
            settings = self._store.run(run_id).settings
        given.platform(settings.platform)
        given.authors(list(settings.authors), settings.target)
        self._run(lambda observer: resume_run(run_id, self._store, observer, budget=more, unsafe=self._unsafe))

    def _run(self, go: "Callable[[Observer], Run]") -> None:
        import sys

        from kernelwright.cli.usage import usage_errors
        from kernelwright.cli.winners import write_winner
        from kernelwright.judge.reference.client import ReferenceFailed
        from kernelwright.schema import ProblemError
        from kernelwright.swarm import SwarmInterruptedError

        observer, close = self._observer()
        try:
            with usage_errors(ProblemError, ReferenceFailed):
                run = go(observer)
        except SwarmInterruptedError as stopped:
            close()
            again = f"kernelwright optimize --resume {stopped.run_id}" + (" --unsafe" if self._unsafe else "")
            print(f"kernelwright: interrupted, every verdict is stored; go on with: {again}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except KeyboardInterrupt:
            print("kernelwright: interrupted before the run began", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            close()
        attempts = self._store.attempts(run.id)
        self._done.append((run, attempts, write_winner(run, attempts, self._folder, [p for *_, p in self._done])))

    def _observer(self) -> "tuple[Observer, Callable[[], None]]":
        from kernelwright.cli import output
        from kernelwright.report import LinesObserver, LiveObserver
        from kernelwright.swarm import Silent

        if self._quiet:
            return Silent(), lambda: None
        console = output.console(stderr=True)
        if not console.is_terminal:
            return LinesObserver(), lambda: None
        live = LiveObserver(console)
        return live, live.close

    def show(self) -> None:
        from rich.text import Text

        from kernelwright.cli import output
        from kernelwright.report import result_table
        from kernelwright.report.words import baseline_name

        rows = [(run, next((a for a in tried if a.number == _number(run)), None)) for run, tried, _ in self._done]
        output.print_rich(result_table(rows))
        for run, _, path in self._done:
            stays = baseline_name(run.outcome.winner if run.outcome else "eager")
            said = str(path) if path is not None else f"no file, {stays} stays"
            output.print_rich(Text(f"{run.settings.problem.name}: {said}", overflow="fold"))

    def as_object(self) -> "dict[str, object]":
        from kernelwright.cli.objects import OptimizeObject, OptimizeResult

        return OptimizeObject(results=tuple(OptimizeResult.of(*done) for done in self._done)).to_json()


def _number(run: "Run") -> int | None:
    return run.outcome.attempt if run.outcome else None
