"""``kernelwright task``: a folder in which a coding agent or a person can work on one problem."""

from pathlib import Path
from typing import Annotated

import typer

from kernelwright.cli import options


def task(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    *,
    target: Annotated[
        str, typer.Option(help="The language of the kernels: torch, cpp, cuda, triton, metal.", metavar="TARGET")
    ],
    out: Annotated[str, typer.Option(help="The folder to make.", metavar="DIR")],
    precision: options.Precision = "strict",
    platform: options.Platform = None,
) -> None:
    """Write a self-contained folder to work in: the task, the reference, a start, a worked example."""
    from kernelwright.cli import given, output
    from kernelwright.cli.usage import fail, usage_errors

    language, rule = given.target(target), given.precision(precision)
    assert language is not None
    read = given.problem(problem)
    device = given.platform(platform)

    from kernelwright.authors import AuthorError, Task
    from kernelwright.authors.folder import TaskFolder, TaskFolderError
    from kernelwright.authors.folder.contents import CANDIDATE, PAGE, TaskFile
    from kernelwright.authors.folder.page import files_of
    from kernelwright.schema import Candidate, ProblemError
    from kernelwright.schema import Target as Targets

    if language is Targets.CUDA and device.name != "cuda":
        fail(f"target cuda needs an NVIDIA GPU, and the platform here is {device.name}")
    facts = device.facts()
    with usage_errors(AuthorError, ProblemError, TaskFolderError):
        asked = Task(problem=read, facts=facts, platform=device.name, precision=rule, target=language)
        files = files_of(asked, language)
        about = TaskFile(
            problem=read.name,
            format=read.format,
            digest=read.digest,
            target=language,
            precision=rule,
            platform=device.name,
            device=facts,
            start=Candidate(source=files[CANDIDATE], author="").digest,
        )
        folder = TaskFolder.create(Path(out), about, files)
    output.print_rich(f"{folder.path / PAGE} says what to do; judge it there, then: kernelwright submit {folder.path}")
