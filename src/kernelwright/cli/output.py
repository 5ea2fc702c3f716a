"""Standard output for results, standard error for everything else."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDTH_OF_A_PIPE = 120


def print_object(data: dict[str, Any]) -> None:
    """The one object of ``--json``."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_rich(*renderables: "RenderableType") -> None:
    shown = console()
    for renderable in renderables:
        shown.print(renderable)


def console(stderr: bool = False) -> "Console":
    from rich.console import Console

    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_A_PIPE)


@contextmanager
def quiet_stdout() -> Generator[None]:
    """Inside, whatever writes to standard output reaches standard error: problem files, compilers, their children."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # no standard output at all
        yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
