"""``kernelwright submit``: what was written in a task's folder, judged and stored as a run."""

import re
from pathlib import Path
from typing import Annotated

import typer

from kernelwright.cli import options


def submit(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The folder that kernelwright task made.")],
    *,
    author: Annotated[
        str | None, typer.Option(help="Who wrote it; by default the folder's name.", metavar="NAME")
    ] = None,
    out: Annotated[str, typer.Option(help="Where the winner is written.", metavar="DIR")] = "kernelwright-out",
    as_json: options.Json = False,
    unsafe: options.Unsafe = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show the result only.")] = False,
) -> None:
    """Judge every candidate of a task's folder once more, and store them as a run."""
    from contextlib import nullcontext

    from kernelwright.authors.folder import TaskFolder, TaskFolderError, spec_of
    from kernelwright.cli import given, output
    from kernelwright.cli.optimize import Work
    from kernelwright.cli.usage import fail, usage_errors
    from kernelwright.schema import RunSettings

    path = Path(directory)
    with usage_errors(TaskFolderError, LookupError):
        folder = TaskFolder.open(path)
        problem = folder.problem()
        name = author if author is not None else re.sub(r"[^A-Za-z0-9._+-]+|^[^A-Za-z0-9]+", "", path.resolve().name)
        spec = spec_of(name or "folder", path)
    count = sum(1 for _ in folder.candidates())
    if count == 0:
        fail(f"{directory} holds no candidate but the one that it was made with: there is nothing to submit")
    settings = RunSettings(
        problem=problem,
        target=folder.task.target,
        authors=(spec,),
        precision=folder.task.precision,
        platform=given.platform(folder.task.platform).name,
        tries=count + 1,  # nobody is given up on: what lies there is judged to its end
    )
    winners = given.folder(out)
    with given.store() as store, output.quiet_stdout() if as_json else nullcontext():
        work = Work(store, winners, unsafe=unsafe, quiet=quiet)
        work.start([settings], at_once=1)
    if as_json:
        output.print_object(work.as_object())
    else:
        work.show()
