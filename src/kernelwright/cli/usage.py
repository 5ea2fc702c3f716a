"""Wrong input: one line on standard error, exit code 2, no traceback."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import typer

USAGE, INTERRUPTED = 2, 130


def fail(message: object) -> NoReturn:
    """End the command: its input was wrong."""
    print(f"kernelwright: {' '.join(str(message).split())}", file=sys.stderr)
    raise typer.Exit(USAGE)


@contextmanager
def usage_errors(*kinds: type[Exception]) -> Generator[None]:
    """Inside, exceptions of these kinds are about what the user gave: their message becomes the one line."""
    try:
        yield
    except kinds as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        fail(message)
