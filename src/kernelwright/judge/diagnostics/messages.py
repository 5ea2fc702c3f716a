"""Errors in the output of compilers, first one first.

Three forms. GCC, Clang and MLIR: ``main.cpp:4:13: error: …``
(https://gcc.gnu.org/onlinedocs/gcc/Diagnostic-Message-Formatting-Options.html). EDG's, which nvcc and NVRTC use:
``gelu.cu(4): error: …``. Triton's: ``at 4:25:`` and the lines of the ``@triton.jit`` function up to the one that is
wrong. All three show that line and put a caret below the place in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(
    r"^(?P<file>[^\s:(][^:(\n]*)?"
    r"(?::(?P<gnu>\d+):(?:(?P<column>\d+):)?|\((?P<edg>\d+)\)\s*:)"
    r" (?:fatal |catastrophic |internal compiler )?error(?: #[\w-]+)?: (?P<message>.+)$"
)
_TRITON = re.compile(r"^at (?P<line>\d+):(?P<column>\d+):\s*$")
_DEFINITION = re.compile(r"^def\s+(\w+)")
_CARET = re.compile(r"^[\s|]*(\^)[~^\s]*$")
_NUMBERED = re.compile(r"^\s*\d+ \| ")
_WITHOUT_PLACE = re.compile(
    r"^(?:ptxas (?:[^;]*; )?(?:error|fatal)\s*:|nvcc (?:error|fatal)\s*:|nvrtc: error:|.*\bundefined reference to\b).*$"
)
_NAMES = "__nv_name_map"
"""NVRTC's own file, in which it looks up the name of the kernel that was asked for."""
_LINES_TO_CARET = 8
_LINES_OF_A_MESSAGE = 3


@dataclass(frozen=True)
class Diagnostic:
    """One error."""

    message: str
    file: str = ""
    """As the compiler names it, without folders; empty where it names none."""
    line: int = 0
    """Counted from 1, in that file; 0 where the compiler names no place."""
    text: str = ""
    """The line as the compiler shows it, without the space around it; empty where it shows none."""
    caret: int | None = None
    """How many characters of ``text`` stand before the place."""
    function: str = ""
    """Whose first line is line 1, where lines are counted from a Python function's."""


def read(output: str, causes: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """Every error in the output of compilers, each once.

    ``causes`` are messages of the exceptions behind the one whose message ``output`` holds, innermost last: Triton
    reports the call of a function first and what is wrong inside of it as the cause.
    """
    found: dict[Diagnostic, None] = {}
    for text in (*reversed(causes), output):
        lines = text.splitlines()
        for n, line in enumerate(lines):
            if (match := _TRITON.match(line)) is not None:
                diagnostic = _triton(match, lines[n + 1 :])
            elif (match := _LINE.match(line)) is not None:
                diagnostic = _compiler(match, lines[n + 1 : n + 1 + _LINES_TO_CARET])
            elif _WITHOUT_PLACE.match(line):
                diagnostic = Diagnostic(line.strip())
            else:
                continue
            if diagnostic.message:
                found[diagnostic] = None
    return tuple(found)


def _compiler(match: re.Match[str], after: list[str]) -> Diagnostic:
    """``after``: the lines below, of which some go on with the message, and one is the source's."""
    line = int(match["gnu"] or match["edg"])
    file = (match["file"] or "").rpartition("/")[2]
    message, text, caret = match["message"], "", None
    for n, shown in enumerate(after):
        if _LINE.match(shown):
            break
        if n and (under := _CARET.match(shown)):
            above = after[n - 1]
            code = _NUMBERED.sub(lambda m: " " * len(m[0]), above)
            text, caret = code.strip(), _before(code, under.start(1))
            if match["edg"]:  # EDG goes on with the message before it shows the line
                message = " ".join([message, *(line.strip() for line in after[: n - 1])])
            break
    if file == _NAMES:
        return Diagnostic(f"{message} (the name of the kernel that was asked for)")
    return Diagnostic(message, file, line, text, caret)


def _triton(match: re.Match[str], after: list[str]) -> Diagnostic:
    under = next((n for n, line in enumerate(after) if n and _CARET.match(line)), None)
    if under is None:
        return Diagnostic("")
    caret, shown = after[under].index("^"), after[under - 1]
    message = " ".join(line.strip() for line in after[under + 1 : under + 1 + _LINES_OF_A_MESSAGE]).strip()
    definition = _DEFINITION.match(after[0])
    name = definition[1] if definition else ""
    return Diagnostic(message, "", int(match["line"]), shown.strip(), _before(shown, caret), name)


def _before(shown: str, column: int) -> int | None:
    """A place in a line as shown, counted from the line's first character that is no space."""
    offset = column - (len(shown) - len(shown.lstrip()))
    return offset if 0 <= offset <= len(shown.strip()) else None
