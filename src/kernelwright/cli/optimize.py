"""``kernelwright optimize``: problems in, verified faster modules out."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kernelwright.cli import options, swarm_options
from kernelwright.cli.usage import INTERRUPTED, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from kernelwright.schema import Attempt, Run, RunSettings
    from kernelwright.store import Store
    from kernelwright.swarm import Observer

DEFAULT_BUDGET = "5m"
_SWARM = ("independent", None, None, None, "rules", 5, 3, 8, 0)
"""The defaults of what is said about the swarm, in the order in which ``swarm_options.settings`` takes it."""


def optimize(
    problems: Annotated[list[str] | None, typer.Argument(metavar="PROBLEM...", help="Problem files.")] = None,
    *,
    target: options.Target = None,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Who writes: a name, file:PATH, PROVIDER:MODEL; may be repeated.", metavar="NAME"),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help=f"Per problem: 5m, 90s, 20 (attempts), $2, or several: 20,5m,$2.  [default: {DEFAULT_BUDGET}]"
        ),
    ] = None,
    swarm: swarm_options.Swarm = None,
    policy: swarm_options.Policy = "independent",
    context: swarm_options.Context = None,
    reference: swarm_options.Reference = None,
    docs: swarm_options.Docs = None,
    analyst: swarm_options.Analyst = "rules",
    tries: swarm_options.Tries = 5,
    rounds: swarm_options.Rounds = 3,
    parallel: swarm_options.Parallel = 8,
    seed: swarm_options.Seed = 0,
    at_once: Annotated[int, typer.Option(help="Problems that are worked on side by side.", min=1)] = 1,
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
    given_swarm = (policy, context, reference, docs, analyst, tries, rounds, parallel, seed)
    fixed = (target, author, swarm, precision, platform, *given_swarm)
    if resume is not None and fixed != (None, None, None, "strict", None, *_SWARM):
        fail("a resumed run keeps its own target, authors, precision, platform and swarm: only --budget can be new")
    folder = given.folder(out)
    with given.store() as store, output.quiet_stdout() if as_json else nullcontext():
        work = Work(store, folder, unsafe=unsafe, quiet=quiet)
        if resume is not None:
            work.resume(resume, budget)
        else:
            names = [*(author or ()), *(swarm_options.members(swarm) if swarm is not None else ())]
            fields = swarm_options.settings(*given_swarm)
            work.start(_all_settings(problems or [], target, names, budget, precision, platform, fields), at_once)
    if as_json:
        output.print_object(work.as_object())
    else:
        work.show()


def _all_settings(
    problems: list[str],
    target: str | None,
    author: list[str],
    budget: str | None,
    precision: str,
    platform: str | None,
    swarm: "dict[str, Any]",
) -> "list[RunSettings]":
    """Everything is checked before the first run begins."""
    from kernelwright.cli import given
    from kernelwright.schema import RunSettings

    language = given.target(target)
    spend = given.budget(budget or DEFAULT_BUDGET)
    rule = given.precision(precision)
    read = [given.problem(path) for path in problems]
    device = given.platform(platform).name
    names = given.authors(author, language, device)
    return [
        RunSettings(problem=p, target=language, authors=names, budget=spend, precision=rule, platform=device, **swarm)
        for p in read
    ]


class Work:
    """The runs of one command, one after the other, and what came of them."""

    def __init__(self, store: "Store", folder: Path, *, unsafe: bool, quiet: bool) -> None:
        self._store, self._folder, self._unsafe, self._quiet = store, folder, unsafe, quiet
        self._done: list[tuple[Run, tuple[Attempt, ...], Path | None]] = []

    def start(self, all_settings: "list[RunSettings]", at_once: int) -> None:
        from kernelwright.swarm.start import start_run

        if at_once > 1 and len(all_settings) > 1:
            self._side_by_side(all_settings, at_once)
            return
        for settings in all_settings:
            self._run(lambda observer, s=settings: start_run(s, self._store, observer, unsafe=self._unsafe))

    def resume(self, run_id: str, budget: str | None) -> None:
        from kernelwright.cli import given
        from kernelwright.cli.usage import usage_errors
        from kernelwright.store import NotStoredError
        from kernelwright.swarm.start import resume_run

        more = given.budget(budget) if budget is not None else None
        with usage_errors(NotStoredError):
            settings = self._store.run(run_id).settings
        given.platform(settings.platform)
        given.authors(list(settings.authors), settings.target, settings.platform)
        self._run(lambda observer: resume_run(run_id, self._store, observer, budget=more, unsafe=self._unsafe))

    def _side_by_side(self, all_settings: "list[RunSettings]", at_once: int) -> None:
        """One line for each event, for a live table shows one run."""
        from kernelwright.report import LinesObserver
        from kernelwright.swarm import Silent
        from kernelwright.swarm.campaign import Shared, Start, side_by_side
        from kernelwright.swarm.start import start_run

        def begin(settings: "RunSettings") -> Start:
            observer = Silent() if self._quiet else LinesObserver(prefix=f"{settings.problem.name}: ")

            def start(shared: Shared) -> "Run":
                return start_run(
                    settings, self._store, observer, unsafe=self._unsafe, device=shared.device, stop=shared.stop
                )

            return start

        with self._orderly(lambda: None):
            runs = side_by_side([begin(settings) for settings in all_settings], at_once)
        for run in runs:
            self._keep(run)

    def _run(self, go: "Callable[[Observer], Run]") -> None:
        observer, close = self._observer()
        with self._orderly(close):
            run = go(observer)
        self._keep(run)

    @contextmanager
    def _orderly(self, close: "Callable[[], None]") -> "Generator[None]":
        """Interruptions and problems that do not run end the command in one line."""
        import sys

        from kernelwright.cli.usage import usage_errors
        from kernelwright.judge.reference.client import ReferenceFailed
        from kernelwright.schema import ProblemError

        try:
            with usage_errors(ProblemError, ReferenceFailed):
                yield
        except KeyboardInterrupt as stopped:
            close()
            for run_id in _stopped_runs(stopped):
                again = f"kernelwright optimize --resume {run_id}" + (" --unsafe" if self._unsafe else "")
                print(f"kernelwright: interrupted, every verdict is stored; go on with: {again}", file=sys.stderr)
            if not _stopped_runs(stopped):
                print("kernelwright: interrupted before the run began", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            close()

    def _keep(self, run: "Run") -> None:
        from kernelwright.cli.winners import write_winner

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


def _stopped_runs(stopped: KeyboardInterrupt) -> tuple[str, ...]:
    from kernelwright.swarm import SwarmInterruptedError
    from kernelwright.swarm.campaign import CampaignInterruptedError

    if isinstance(stopped, CampaignInterruptedError):
        return stopped.run_ids
    return (stopped.run_id,) if isinstance(stopped, SwarmInterruptedError) else ()


def _number(run: "Run") -> int | None:
    return run.outcome.attempt if run.outcome else None
