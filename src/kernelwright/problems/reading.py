"""Reading problem files, and saying in one line what went wrong with one."""

import os
from importlib.util import decode_source
from pathlib import Path

from kernelwright.schema import ProblemError

_LONGEST = 300


def read_problem_file(path: Path) -> str:
    """The text of a Python file, decoded as Python would. Raises ``ProblemError`` with one line."""
    try:
        return decode_source(path.read_bytes())
    except FileNotFoundError:
        raise ProblemError(f"{path}: file not found") from None
    except IsADirectoryError:
        raise ProblemError(f"{path}: is a directory, not a problem file") from None
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read: {os.strerror(error.errno or 0)}") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ProblemError(f"{path}: is not Python text: {one_line(error)}") from None


def one_line(error: BaseException) -> str:
    """``ValueError: message`` on one line, shortened where the message is long."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def line_within(error: BaseException, filename: str) -> str:
    """``" at line 12"`` for the innermost frame of ``filename`` in the error's traceback; empty where it has none."""
    line: int | None = None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return "" if line is None else f" at line {line}"
