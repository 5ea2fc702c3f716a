"""The entry point ``kernelwright``."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kernelwright.cli.doctor import doctor
from kernelwright.cli.judge import judge
from kernelwright.cli.metal import app as metal
from kernelwright.cli.optimize import optimize
from kernelwright.cli.profile import profile
from kernelwright.cli.runs import runs
from kernelwright.cli.show import show
from kernelwright.cli.submit import submit
from kernelwright.cli.suite import app as suite
from kernelwright.cli.task import task

app = typer.Typer(
    name="kernelwright",
    help="Makes PyTorch modules faster and proves it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (optimize, judge, profile, doctor, runs, show, task, submit):
    app.command()(command)
app.add_typer(metal, name="metal")
app.add_typer(suite, name="suite")


def _version(wanted: bool) -> None:
    if wanted:
        from kernelwright import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Makes PyTorch modules faster and proves it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 a verdict other than correct, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        result = app(given, prog_name="kernelwright", standalone_mode=False)
    except Exception as error:
        # Typer's own usage errors, whatever package they live in: one line instead of its box.
        describe = getattr(error, "format_message", None)
        if describe is None:
            raise
        print(f"kernelwright: {' '.join(describe().split())}", file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0
