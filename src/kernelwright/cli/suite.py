"""``kernelwright suite``: a whole benchmark suite in one file, joined from slices, and scored."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options, swarm_options
from kernelwright.cli.usage import INTERRUPTED, fail, usage_errors

if TYPE_CHECKING:
    from kernelwright.suites.kernelbench import Found
    from kernelwright.suites.records import SuiteResults
    from kernelwright.suites.runner import Progress, Runner, Work

DEFAULT_BUDGET = "5m"

app = typer.Typer(help="Run a benchmark suite, merge results and score them.")

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Results files.")]


@app.command()
def run(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="The suite: kernelbench.")],
    *,
    path: Annotated[str, typer.Option(help="A checkout of the suite.", metavar="DIR")],
    levels: Annotated[str, typer.Option(help="Which levels.", metavar="1,2,3")] = "1,2,3",
    numbers: Annotated[
        str | None, typer.Option("--range", help="Which numbers, of each level.", metavar="1-20")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Problems with this in their name; may be repeated.", metavar="NAME")
    ] = None,
    target: options.Target = None,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Who writes: a name, file:PATH, PROVIDER:MODEL; may be repeated.", metavar="NAME"),
    ] = None,
    swarm: swarm_options.Swarm = None,
    budget: Annotated[str, typer.Option(help="Per problem: 5m, 90s, 20 (attempts), $2.")] = DEFAULT_BUDGET,
    precision: options.Precision = "strict",
    platform: options.Platform = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="What to measure against beside eager; may be repeated. By default all.", metavar="NAME"),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="The results file.  [default: results/SUITE-PLATFORM.json]", metavar="FILE")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file: skip what it holds whole.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With --resume: repeat what could not be judged.")] = False,
    time_limit: Annotated[
        str | None,
        typer.Option(help="Begin no further problem, and no further attempt, after this time.", metavar="9m"),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            help="Problems side by side on each device.  [default: 1 on a CPU, up to 10 on a GPU]", min=1, metavar="N"
        ),
    ] = None,
    devices: Annotated[int, typer.Option(help="GPUs of one kind to spread over.", min=1, metavar="N")] = 1,
    as_json: options.Json = False,
    unsafe: options.Unsafe = False,
) -> None:
    """Optimize every problem of a suite. The results file is written after each one."""
    from kernelwright.cli import given, output, suite_options
    from kernelwright.schema import Budget
    from kernelwright.suites import file, heads, recording
    from kernelwright.suites.kernelbench import SuiteError
    from kernelwright.suites.records import Sitting, SuiteSettings
    from kernelwright.suites.runner import Runner, Work, default_at_once

    name = suite_options.suite(suite)
    language = given.target(target)
    spend: Budget = given.budget(budget)
    rule = given.precision(precision)
    measured = suite_options.baselines(baseline or ())
    limit = suite_options.time_limit(time_limit)
    plan = suite_options.plan(path, levels, numbers, only or ())
    if again and not resume:
        fail("--again repeats what a file says could not be judged: it needs --resume")
    device = given.platform(platform)
    names = [*(author or ()), *(swarm_options.members(swarm) if swarm is not None else ())]
    authors = given.authors(names, language, device.name)
    settings = SuiteSettings(
        suite=name, authors=authors, target=language, budget=spend, precision=rule, platform=device.name,
        baselines=measured,
    )  # fmt: skip
    place = Path(out) if out is not None else Path("results") / f"{name}-{device.name}.json"
    spread = suite_options.devices(device.name, devices)
    side_by_side = at_once or default_at_once(device.name, devices)
    typed = {
        "--path": path, "--levels": levels, "--range": numbers, "--only": only, "--target": target, "--author": author,
        "--swarm": swarm, "--budget": budget, "--precision": precision, "--platform": device.name,
        "--baseline": baseline, "--time-limit": time_limit, "--at-once": side_by_side, "--devices": devices,
        "--unsafe": unsafe,
    }  # fmt: skip
    if side_by_side > 1:
        device.limits()  # measured before several use the device, where that has not been done
    sitting = Sitting(
        began=recording.now(), command=suite_options.command(name, typed), at_once=side_by_side, devices=devices
    )
    with usage_errors(SuiteError):
        before = _before(place, resume)
        results, head = heads.begin(before, heads.head_here(settings, device), sitting)
        to_do = heads.to_do(plan, results, again=again)
        file.write(place, results)  # nobody wants to learn after an hour that it cannot be written
        with given.store() as store:
            work = Work(to_do, results, head, place, side_by_side, spread, unsafe, limit)
            runner = Runner(work, store, _say)
            left = _work(runner)
    if as_json:
        output.print_object(_summary(runner, work, left, len(plan) - len(to_do)))
    else:
        _show(runner.results, place)


@app.command()
def merge(
    files: Files,
    *,
    out: Annotated[str, typer.Option(help="Where the joined results are written.", metavar="FILE")],
) -> None:
    """Join results of several slices or machines."""
    import sys

    from kernelwright.suites import file
    from kernelwright.suites.kernelbench import SuiteError
    from kernelwright.suites.merge import merged

    with usage_errors(SuiteError):
        results, replaced = merged([file.read(Path(path)) for path in files])
        file.write(Path(out), results)
    for pair in replaced:
        print(
            f"{pair.kept.title} is there twice: the one of {pair.kept.finished} stays, not that of "
            f"{pair.dropped.finished}",
            file=sys.stderr,
        )
    print(f"{len(results.problems)} problems in {out}", file=sys.stderr)


@app.command()
def score(
    files: Files,
    *,
    against: Annotated[
        list[str] | None,
        typer.Option(help="eager, compile, compile-max-autotune, onnxruntime, best; may be repeated.", metavar="NAME"),
    ] = None,
    as_json: options.Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print tables in Markdown.")] = False,
) -> None:
    """Say what results come to: fast_p, geometric means, shares of the limits."""
    from kernelwright.cli import output, suite_options
    from kernelwright.suites import file, scores, tables
    from kernelwright.suites.kernelbench import SuiteError
    from kernelwright.suites.merge import merged

    if as_json and as_markdown:
        fail("--json and --markdown are two ways of printing: choose one")
    names = suite_options.against(against or ())
    with usage_errors(SuiteError):
        found = scores.score(merged([file.read(Path(path)) for path in files])[0], names)
    if as_json:
        output.print_object(found.to_json())
    elif as_markdown:
        typer.echo(tables.markdown(found), nl=False)
    else:
        output.print_rich(*tables.renderables(found))


def _before(place: Path, resume: bool) -> "SuiteResults | None":
    from kernelwright.suites import file

    if not place.exists():
        return None
    if not resume:
        fail(f"{place} is there already: --resume goes on with it, --out names another file")
    return file.read(place)


def _work(runner: "Runner") -> "list[Found]":
    import sys

    try:
        left = runner.run()
    except KeyboardInterrupt:
        print(
            f"kernelwright: interrupted; {runner.work.out} holds what was finished: --resume goes on with it",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None
    if left:
        names = ", ".join(found.title for found in left)
        print(f"kernelwright: no time for {len(left)} problems, --resume goes on with them: {names}", file=sys.stderr)
    return left


def _say(progress: "Progress") -> None:
    """One line for each problem."""
    import sys

    from kernelwright.suites.tables import line

    print(line(progress), file=sys.stderr, flush=True)


def _show(results: "SuiteResults", place: Path) -> None:
    from kernelwright.cli import output
    from kernelwright.suites import scores, tables

    if results.problems:
        output.print_rich(*tables.renderables(scores.score(results)))
    output.print_rich(f"results: {place}")


def _summary(runner: "Runner", work: "Work", left: "list[Found]", skipped: int) -> dict[str, object]:
    from kernelwright.cli.suite_objects import SuiteRunObject
    from kernelwright.suites import scores

    results = runner.results
    sitting = results.heads[work.head].sittings[-1]
    return SuiteRunObject(
        file=str(work.out),
        finished=sitting.problems,
        skipped=skipped,
        not_judged=tuple(record.title for record in results.problems if record.failure),
        left=tuple(found.title for found in left),
        wall_seconds=sitting.wall_seconds,
        device_seconds=sitting.device_seconds,
        score=scores.score(results) if results.problems else None,
    ).to_json()
