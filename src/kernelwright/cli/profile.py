"""``kernelwright profile``: where the time of a candidate goes, and what to do next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options

if TYPE_CHECKING:
    from kernelwright.schema import Profile


def profile(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="The problem file.")],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The file that defines ModelNew.")],
    *,
    target: options.Target = None,
    platform: options.Platform = None,
    analyst: Annotated[
        str, typer.Option(metavar="NAME", help="Who reads the profile: rules, or PROVIDER:MODEL.")
    ] = "rules",
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Write timeline and roofline there, as PNG.")] = None,
    screenshots: Annotated[
        bool, typer.Option("--screenshots", help="On a Mac: let Xcode open a capture, and take pictures of it.")
    ] = False,
    as_json: options.Json = False,
    unsafe: options.Unsafe = False,
) -> None:
    """Profile one candidate and recommend one change. Exit code 0: profiled, 1: it could not be, 2: wrong usage."""
    import sys
    from contextlib import nullcontext

    from kernelwright.cli import given, output
    from kernelwright.cli.usage import INTERRUPTED, fail, usage_errors

    language = given.target(target)
    text = given.readable_file(candidate, "candidate")
    read = given.problem(problem)
    device = given.platform(platform).name
    given.analyst(analyst)
    if screenshots and device != "mps":
        fail(f"--screenshots needs Xcode and an Apple GPU, and the platform here is {device}")
    folder = given.folder(out) if out is not None else None

    from kernelwright.deploy import profile as profile_candidate
    from kernelwright.judge.reference.client import ReferenceFailed
    from kernelwright.schema import ProblemError

    try:
        with usage_errors(ProblemError, ReferenceFailed), output.quiet_stdout() if as_json else nullcontext():
            done = profile_candidate(
                read, text, language, analyst=analyst, unsafe=unsafe, platform=device, screenshots=screenshots
            )
    except KeyboardInterrupt:
        print("kernelwright: interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    files = _write(done.profile, folder) if done.profile is not None and folder is not None else ()
    if as_json:
        from kernelwright.cli.objects import ProfileObject

        output.print_object(ProfileObject.of(done, analyst, files).to_json())
    else:
        from kernelwright.report import profile_view

        title = f"{read.name}: {candidate}"
        output.print_rich(profile_view(done.verdict, done.profile, done.advice, files, title))
    raise typer.Exit(0 if done.profile is not None and done.profile.operations else 1)


def _write(found: "Profile", folder: Path) -> tuple[str, ...]:
    """The pictures, each under its name."""
    from kernelwright.cli.usage import fail

    paths = [folder / f"{picture.name}.png" for picture in found.pictures]
    for path, picture in zip(paths, found.pictures, strict=True):
        try:
            path.write_bytes(picture.png)
        except OSError as error:
            fail(f"cannot write {path}: {error.strerror or error}")
    return tuple(map(str, paths))
