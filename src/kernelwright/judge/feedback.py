"""From an error inside the candidate's process to a status and to what its author is told."""

import re
from collections.abc import Sequence
from typing import Any

from kernelwright.judge import diagnostics
from kernelwright.judge.diagnostics import Diagnostic, Place
from kernelwright.judge.findings import Stopped, stop
from kernelwright.schema import Speedup, Status

_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory|std::bad_alloc", re.IGNORECASE)
_COMPILER_TYPES = frozenset({
    "SyntaxError", "IndentationError", "TabError", "CompilationError", "CompileTimeAssertionFailure",
    "UnsupportedLanguageConstruct", "OutOfResources", "PTXASError", "MLIRCompilationError", "CppCompileError",
    "InductorError", "BackendCompilerFailed", "LoweringException", "NVRTCError", "CompilationAbortedError",
    "MetalCompileError",
})  # fmt: skip
_COMPILER_WORDS = re.compile(
    r"Error building extension|C\+\+ compile error|nvrtc|ninja: build stopped|failed to compile"
    r"|Kernel compilation failed|PassManager::run failed",
    re.IGNORECASE,
)
_FIRST_ERROR = re.compile(r"^.*\berror\b:?.*$", re.IGNORECASE | re.MULTILINE)
_CONTEXT_LINES = 8
_MORE_ERRORS = 3


def first_compiler_error(text: str) -> str:
    """The first line that says ``error`` with the lines after it, which show the source; all of a short text."""
    match = next((m for m in _FIRST_ERROR.finditer(text) if "Error building extension" not in m.group()), None)
    if match is None:
        return text[-2000:]
    return "\n".join(text[match.start() :].splitlines()[:_CONTEXT_LINES])


def source_line(source: str, line: int | None, column: int | None = None) -> str:
    """Three lines of the candidate around ``line``, the line itself marked; empty where there is none.

    ``column``, from 0, gets a caret below it.
    """
    lines = source.splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ""
    shown: list[str] = []
    for n in range(max(1, line - 1), min(len(lines), line + 1) + 1):
        shown.append(f"{'>' if n == line else ' '} {n:4} | {lines[n - 1]}")
        if n == line and column is not None:
            before = "".join("\t" if c == "\t" else " " for c in lines[n - 1][:column])
            shown.append(f"       | {before}^")
    return "\n".join(shown)


def compiler_errors(output: str, causes: Sequence[str], source: str) -> str:
    """The first error of compilers with the candidate's own lines around it, then others in a line each.

    Empty where the output names none. ``causes``: see ``diagnostics.read``.
    """
    found = diagnostics.read(output, causes)
    if not found:
        return ""
    places = [diagnostics.find(diagnostic, source) for diagnostic in found]
    first, place = found[0], places[0]
    told = [first.message]
    if place is not None:
        told.append(f"{_where(first, place)}:")
        told.append(source_line(source, place.row, place.column))
    elif first.line:
        told.append(f"{_where(first, None)}: {first.text}".rstrip(": "))
    rest = [(d, p) for d, p in zip(found[1:], places[1:], strict=True) if d.line and p != place]
    told += [f"also {_where(d, p)}: {d.message}" for d, p in rest[:_MORE_ERRORS]]
    if len(rest) > _MORE_ERRORS:
        told.append(f"and {len(rest) - _MORE_ERRORS} more errors")
    return "\n".join(told)


def _where(diagnostic: Diagnostic, place: Place | None) -> str:
    of = diagnostic.function or diagnostic.file
    within = f"line {diagnostic.line} of {of}" if of else f"line {diagnostic.line}"
    if place is None:
        return within
    return f"line {place.row} of the candidate" + (f" ({within})" if not of.endswith(".py") else "")


def from_error(error: dict[str, Any], stage: str, source: str, printed: str) -> Stopped:
    """The finding for an exception that the candidate raised while it was imported, built or called.

    ``error`` is what the harness reports; its fields come from the candidate's process and are taken as text only.
    """
    kind, message = str(error.get("type", "")), str(error.get("message", ""))
    line = error.get("line")
    where = source_line(source, line if isinstance(line, int) else None)
    everything = f"{message}\n{printed}"
    if kind in ("MemoryError", "OutOfMemoryError") or _MEMORY.search(message):
        return stop(Status.OUT_OF_MEMORY, stage, f"out of memory during {stage}: {message[:500]}\n{where}")
    if kind in _COMPILER_TYPES or _COMPILER_WORDS.search(message):
        given = error.get("causes")
        causes = [str(cause) for cause in given] if isinstance(given, list) else []
        text = compiler_errors(everything, causes, source)
        if not text:
            text = f"{first_compiler_error(everything).strip()}\n{where}"
        return stop(Status.COMPILE_FAILED, stage, f"compilation failed during {stage}:\n{text}".rstrip())
    text = f"{kind} during {stage}: {message[:3000]}"
    trace = str(error.get("traceback", ""))
    return stop(Status.RUNTIME_FAILED, stage, "\n".join(part for part in (text, where, trace[-2000:]) if part))


def of_success(speedup: Speedup, not_timed: str | None) -> str:
    """What the author of a correct candidate is told."""
    if not_timed is not None:
        return f"Correct: {not_timed}."
    if speedup.eager is None or speedup.best_baseline is None:
        return "Correct."
    best = speedup.best_baseline
    return (
        f"Correct. {speedup.eager.median:.3f}x eager [{speedup.eager.low:.3f}, {speedup.eager.high:.3f}], "
        f"{best.median:.3f}x the best baseline, {speedup.best_baseline_name} [{best.low:.3f}, {best.high:.3f}]."
    )
