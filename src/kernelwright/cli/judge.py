"""``kernelwright judge``: one verdict."""

from typing import Annotated

import typer

from kernelwright.cli import options


def judge(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The file that defines ModelNew.")],
    *,
    target: options.Target = None,
    precision: Annotated[
        str | None,
        typer.Option(help="The accuracy rule: strict (the default), kernelbench or gimlet.", metavar="PRECISION"),
    ] = None,
    platform: options.Platform = None,
    no_timing: Annotated[bool, typer.Option("--no-timing", help="Correctness only.")] = False,
    as_json: options.Json = False,
    unsafe: options.Unsafe = False,
) -> None:
    """Build, check and time one candidate. Exit code 0: correct, 1: any other verdict, 2: wrong usage.

    In a folder that kernelwright task made, target, precision and platform are the task's, and the verdict is kept.
    """
    import sys
    from contextlib import nullcontext

    from kernelwright.cli import given, output
    from kernelwright.cli.usage import INTERRUPTED, usage_errors
    from kernelwright.schema import Precision

    language = given.target(target)
    asked = None if precision is None else given.precision(precision)
    text = given.readable_file(candidate, "candidate")
    read, folder = given.problem_and_folder(problem)
    rule = asked or Precision.STRICT
    if folder is not None:
        language, rule, platform = given.as_the_task_says(folder, language, asked, platform)
    device = given.platform(platform).name

    from kernelwright.authors.folder import TaskFolderError
    from kernelwright.deploy import judge as judge_candidate
    from kernelwright.judge.reference.client import ReferenceFailed
    from kernelwright.schema import ProblemError

    try:
        with usage_errors(ProblemError, ReferenceFailed), output.quiet_stdout() if as_json else nullcontext():
            verdict = judge_candidate(
                read, text, language, precision=rule, timing=not no_timing, unsafe=unsafe, platform=device
            )
    except KeyboardInterrupt:
        print("kernelwright: interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if folder is not None:
        with usage_errors(TaskFolderError):
            print(f"kept as {folder.record(text, verdict)}", file=sys.stderr)
    if as_json:
        output.print_object(verdict.to_json())
    else:
        from kernelwright.report import verdict_view

        output.print_rich(verdict_view(verdict, f"{read.name}: {candidate}"))
    raise typer.Exit(0 if verdict.ok else 1)
