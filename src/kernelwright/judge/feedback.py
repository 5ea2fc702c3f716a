"""From an error inside the candidate's process to a status and to what its author is told."""

import re
from typing import Any

from kernelwright.judge.findings import Stopped, stop
from kernelwright.schema import Speedup, Status

_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory|std::bad_alloc", re.IGNORECASE)
_COMPILER_TYPES = frozenset({
    "SyntaxError", "IndentationError", "TabError", "CompilationError", "CompileTimeAssertionFailure", "CppCompileError",
    "InductorError", "BackendCompilerFailed", "LoweringException", "NVRTCError", "CompilationAbortedError",
    "MetalCompileError",
})  # fmt: skip
_COMPILER_WORDS = re.compile(
    r"Error building extension|C\+\+ compile error|nvrtc|ninja: build stopped|failed to compile", re.IGNORECASE
)
_FIRST_ERROR = re.compile(r"^.*\berror\b:?.*$", re.IGNORECASE | re.MULTILINE)
_CONTEXT_LINES = 8


def first_compiler_error(text: str) -> str:
    """The first line that says ``error`` with the lines after it, which show the source; all of a short text."""
    match = next((m for m in _FIRST_ERROR.finditer(text) if "Error building extension" not in m.group()), None)
    if match is None:
        return text[-2000:]
    return "\n".join(text[match.start() :].splitlines()[:_CONTEXT_LINES])


def source_line(source: str, line: int | None) -> str:
    """Three lines of the candidate around ``line``, the line itself marked; empty where there is none."""
    lines = source.splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ""
    shown = range(max(1, line - 1), min(len(lines), line + 1) + 1)
    return "\n".join(f"{'>' if n == line else ' '} {n:4} | {lines[n - 1]}" for n in shown)


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
        text = first_compiler_error(everything)
        return stop(Status.COMPILE_FAILED, stage, f"compilation failed during {stage}:\n{text}\n{where}".rstrip())
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
