"""Clang's errors about translated C++, as errors about the Metal program."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from kernelwright.metal.contract import Diagnostic, Severity
from kernelwright.metal.language.tokens import Place

MOST_ERRORS = 20
MOST_NOTES = 3
"""Notes kept for each error: an overloaded function of the library has dozens of candidates."""

_HEAD = re.compile(
    r"(?P<file>[^\n]+?):(?P<line>\d+):(?P<column>\d+): (?P<level>fatal error|error|warning|note): (?P<message>.*)"
)
_NO_PLACE = re.compile(r"(?:[\w./+-]+: )?(?P<level>fatal error|error): (?P<message>.*)")
_NUMBERED_SOURCE = re.compile(r"\s*\d+ \| ?(?P<text>.*)")
_NO_SOURCE = re.compile(r"\s*[~^|]|\d+ (?:error|warning)s? |In file included")

_REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<![\w:])(?:::)?(?:metal|kw)::(?=[A-Za-z_])", ""),
        (r"\b_Float16\b", "half"),
        (r"\bkw_u32\b", "uint"),
        (r"\bkw_u64\b", "ulong"),
        (r"\bunsigned char\b", "uchar"),
        (r"\bunsigned short\b", "ushort"),
        (r"\bunsigned long long\b", "ulong"),
        (r"\bunsigned long\b", "ulong"),
        (r"\bunsigned int\b", "uint"),
        (r"\bsigned char\b", "char"),
        (r"\bvec<(\w+), ([234])(?:u?l?)>", r"\1\2"),
        (r"\b(packed_)?vec<(\w+)>", r"\1\g<2>4"),  # the length that is left out is 4
        (r"\bvec<(\w+), \[\.\.\.\]>", r"vector of \1"),  # what two types have in common is left out
        (r"\bvec<\[\.\.\.\], (\d)>", r"vector of \1"),
        (r"\bpacked_vec<(\w+), ([234])(?:u?l?)>", r"packed_\1\2"),
        (r"\bmatrix<(\w+), ([234])(?:u?l?), ([234])(?:u?l?)>", r"\1\2x\3"),
        (r"\bsimdgroup_matrix<(\w+), (\d)(?:u?l?), (\d)(?:u?l?)>", r"simdgroup_\1\2x\3"),
        (r" \(aka '[^']*\bkw\w*[^']*'\)", ""),
        (r"'([^']*)' \(aka '\1'\)", r"'\1'"),
        (r"__attribute__\(\(always_inline\)\) ?", ""),
        (r"\s+\[-W[^\]]*\]$", ""),
        (r"^static assertion failed due to requirement '.*': ", ""),
        (r"^static assertion failed: ", ""),
        (
            r"^overload resolution selected deleted operator '(.+)'$",
            r"Metal has no \1 for these two types, and converts neither: write the conversion",
        ),
        (r"^(read-only variable is not assignable|cannot assign to .*const-qualified.*)$", r"\1: it is constant"),
    )
)
_TELLS_NOTHING = re.compile(
    r"expanded from macro|too many errors emitted|explicitly marked|address space overload|use -fdiagnostics"
)
_NOTE_OF_OURS = re.compile(r"candidate (?!constructor|(?:function|template) (?:has been|ignored: substitution)).*[:\[]")
"""Notes in our headers that say something: why a function of the library did not fit."""
_HIDDEN_PARAMETERS = re.compile(r"'const char \*'|at most \d+ arguments|requires \d+ arguments|operator")
"""What speaks of parameters that users do not see: most functions of ours also take the place of the call."""
_MISSING_HEADER = re.compile(r"'(?P<name>[^']+)' file not found")


@dataclass(slots=True)
class _Message:
    """One message of the compiler with the source line under it."""

    place: Place
    level: str
    message: str
    text: str = ""
    notes: list["_Message"] = field(default_factory=list["_Message"])


def explain(stderr: str) -> tuple[Diagnostic, ...]:
    """Clang's standard error as diagnostics: at most 20 errors, each followed by its notes.

    Names of our headers and of the translation become what the user wrote: ``metal::vec<float, 4>`` is ``float4``. An
    error inside our headers is placed where the user's code led there. Texts are lines of the translated program;
    whoever has the source may put the user's own lines in their place.
    """
    diagnostics: list[Diagnostic] = []
    errors = [m for m in _messages(stderr) if not _TELLS_NOTHING.search(m.message)]
    users = [m for m in errors if not _is_ours(_users_place(m)[0].file)]
    for message in (users or errors)[:MOST_ERRORS]:  # what only our headers show follows from the others
        place, text = _users_place(message)
        diagnostics.append(_diagnostic(message, place, text))
        diagnostics += _notes(message, place)
    return tuple(diagnostics)


def _messages(stderr: str) -> Iterator[_Message]:
    """The errors and warnings with their notes."""
    current: _Message | None = None
    waiting: _Message | None = None  # for the line of source under it
    for line in stderr.splitlines():
        found = _message(line)
        if found is None:
            if waiting is not None:
                waiting.text, waiting = _source(line), None
            continue
        waiting = found
        if found.level == "note" and current is not None:
            current.notes.append(found)
            continue
        if current is not None:
            yield current
        current = found
    if current is not None:
        yield current


def _message(line: str) -> _Message | None:
    """The message that a line begins; ``None`` for source, marks and counts."""
    if head := _HEAD.fullmatch(line):
        place = Place(head["file"], int(head["line"]), int(head["column"]))
        return _Message(place, head["level"], head["message"])
    if bare := _NO_PLACE.fullmatch(line):
        return _Message(Place("compiler", 1, 1), bare["level"], bare["message"])
    return None


def _source(line: str) -> str:
    """The source in the first line of an excerpt: ``   12 | source``, or just the source before clang 17."""
    if numbered := _NUMBERED_SOURCE.fullmatch(line):
        return numbered["text"]
    return "" if _NO_SOURCE.match(line) else line


def _is_ours(file: str) -> bool:
    """Whether the file is one of our headers."""
    path = PurePath(file)
    return path.name.startswith(("kw_", "metal_")) or file.startswith("<") or path.name == "prelude.pch"


def _users_place(message: _Message) -> tuple[Place, str]:
    """Where the user's code is the cause: the error itself, or the first note outside of our headers."""
    if not _is_ours(message.place.file):
        return message.place, message.text
    for note in message.notes:
        if not _is_ours(note.place.file):
            return note.place, note.text
    return message.place, message.text


def _diagnostic(message: _Message, place: Place, text: str) -> Diagnostic:
    severity = Severity.WARNING if message.level == "warning" else Severity.ERROR
    section = ""
    said = in_users_terms(message.message)
    if missing := _MISSING_HEADER.search(message.message):
        said = f"there is no header <{missing['name']}> here"
        if _is_standard(missing["name"]):
            section = "1.5.4 Restrictions"
            said += ": the C++ standard library is not part of Metal, include <metal_stdlib>"
        elif "MetalPerformancePrimitives" in missing["name"] or missing["name"] == "metal_tensor":
            said = "refused: this program uses Apple's MetalPerformancePrimitives, which are not supported here"
    return Diagnostic(severity, said, place, section, text)


def _is_standard(header: str) -> bool:
    """Whether the name is one of C++'s or C's headers: no folder, no suffix but ``.h``."""
    return re.fullmatch(r"[a-z_]+(\.h)?", header) is not None and not header.startswith("metal")


def _notes(message: _Message, parent: Place) -> Iterator[Diagnostic]:
    """The notes that say something to the user; those in our headers are about the library's functions."""
    kept: set[tuple[Place, str]] = set()
    for note in message.notes:
        ours = _is_ours(note.place.file)
        place, text = (parent, "") if ours else (note.place, note.text)
        said = in_users_terms(note.message)
        silent = _TELLS_NOTHING.search(note.message) or (note.place == parent and not ours)
        if ours and (_NOTE_OF_OURS.match(note.message) is None or _HIDDEN_PARAMETERS.search(note.message)):
            silent = True
        if ours and not message.message.startswith("no matching"):  # all conversions and operators of a type
            silent = True
        if silent or (place, said) in kept or len(kept) == MOST_NOTES:
            continue
        kept.add((place, said))
        yield Diagnostic(Severity.NOTE, said, place, text=text)


def in_users_terms(message: str) -> str:
    """A message of the compiler without the names of our headers and of the translation."""
    for pattern, replacement in _REPLACEMENTS:
        message = pattern.sub(replacement, message)
    return message
