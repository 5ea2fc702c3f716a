"""Changes to a text as language models write them: unified diffs, and SEARCH/REPLACE blocks. Imports no torch.

The unified format is that of POSIX ``diff -u`` (IEEE Std 1003.1, "Diff -u Output Format"). Models miscount lines: a
hunk is tried where its header says, then where its lines are, nearest first. SEARCH/REPLACE blocks are those that aider
made known (https://aider.chat/docs/more/edit-formats.html); what is searched for must stand in the text exactly once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_HUNK = re.compile(r"^@@(?: -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))?)?(?: @@.*|[^\n]*)$")
_SEARCH = re.compile(r"^[ \t]*<{5,9} ?SEARCH\b.*$")
_DIVIDER = re.compile(r"^[ \t]*={5,9}[ \t]*$")
_REPLACE = re.compile(r"^[ \t]*>{5,9} ?REPLACE\b.*$")
_NO_NEWLINE = "\\ No newline at end of file"


class EditError(Exception):
    """The change does not fit the text. The message is one line."""


@dataclass
class Hunk:
    """Lines that are replaced by others. ``start``: where the old ones begin, counted from 0; ``None``: not said."""

    start: int | None
    old: list[str] = field(default_factory=list[str])
    new: list[str] = field(default_factory=list[str])


def has_search_blocks(text: str) -> bool:
    """It has a line that begins a SEARCH/REPLACE block."""
    return any(_SEARCH.match(line) for line in text.split("\n"))


def has_hunks(text: str) -> bool:
    """It has a line that begins a hunk of a unified diff, and a line that is added or removed after it."""
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if line.startswith("@@") and _HUNK.match(line)), None)
    return first is not None and any(line[:1] in ("+", "-") for line in lines[first + 1 :])


def apply_search_blocks(text: str, edits: str) -> str:
    """``text`` after every SEARCH/REPLACE block in ``edits``, in order. Raises ``EditError``."""
    lines = text.split("\n")
    for number, (search, replace) in enumerate(_search_blocks(edits), start=1):
        if not any(line.strip() for line in search):
            raise EditError(f"SEARCH block {number} is empty: it must hold lines of the last candidate")
        places = _places(lines, search)
        if not places:
            raise EditError(f"SEARCH block {number} is not in the last candidate: it begins with {_quoted(search)}")
        if len(places) > 1:
            raise EditError(
                f"SEARCH block {number} is in the last candidate {len(places)} times: add lines to {_quoted(search)}"
            )
        lines[places[0] : places[0] + len(search)] = replace
    return "\n".join(lines)


def apply_diff(text: str, diff: str) -> str:
    """``text`` after every hunk of a unified diff, in order. Raises ``EditError``."""
    lines = text.split("\n")
    moved = 0
    for number, hunk in enumerate(_hunks(diff), start=1):
        expected = None if hunk.start is None else hunk.start + moved
        at = _fit(lines, hunk, expected, number)
        lines[at : at + len(hunk.old)] = hunk.new
        moved += len(hunk.new) - len(hunk.old)
    return "\n".join(lines)


def prose_before(text: str) -> str:
    """What an answer says before its first change."""
    lines = text.split("\n")
    first = next(
        (n for n, line in enumerate(lines) if _SEARCH.match(line) or line.startswith(("@@", "--- "))), len(lines)
    )
    return "\n".join(lines[:first])


def _search_blocks(edits: str) -> list[tuple[list[str], list[str]]]:
    found: list[tuple[list[str], list[str]]] = []
    lines = iter(edits.split("\n"))
    for line in lines:
        if not _SEARCH.match(line):
            continue
        search = _until(lines, _DIVIDER, len(found) + 1, "=======")
        replace = _until(lines, _REPLACE, len(found) + 1, ">>>>>>> REPLACE")
        found.append((search, replace))
    return found


def _until(lines: Iterator[str], end: re.Pattern[str], number: int, word: str) -> list[str]:
    taken: list[str] = []
    for line in lines:
        if end.match(line):
            return taken
        taken.append(line)
    raise EditError(f"SEARCH block {number} has no line {word}: the answer was cut off")


def _hunks(diff: str) -> list[Hunk]:
    lines = diff.split("\n")
    found: list[Hunk] = []
    at = 0
    while at < len(lines):
        header = _HUNK.match(lines[at])
        if header is None:
            at += 1
            continue
        body = _body(lines, at + 1, header)
        found.append(_hunk(header, body))
        at += 1 + len(body)
    return found


def _body(lines: Sequence[str], start: int, header: re.Match[str]) -> list[str]:
    """The hunk's lines: as many as its header counts, where these counts can be true; else up to the next header."""
    if header[1] is not None:
        counted = _counted(lines, start, int(header[2] or 1), int(header[4] or 1))
        if counted is not None:
            return counted
    end = start
    while end < len(lines) and not (_HUNK.match(lines[end]) and lines[end].startswith("@@")):
        is_header = lines[end].startswith("--- ") and end + 1 < len(lines) and lines[end + 1].startswith("+++ ")
        if is_header or lines[end].startswith(("diff --git ", "index ")):
            break
        end += 1
    body = list(lines[start:end])
    while body and not body[-1].strip():  # blank lines between hunks, or before the fence
        body.pop()
    return body


def _counted(lines: Sequence[str], start: int, old: int, new: int) -> list[str] | None:
    end = start
    while end < len(lines) and (old > 0 or new > 0):
        mark = lines[end][:1]
        if mark not in ("+", "-", " ", "", "\\"):
            return None
        old -= mark in ("-", " ", "")
        new -= mark in ("+", " ", "")
        end += 1
    if old or new:
        return None
    after = lines[end] if end < len(lines) else ""
    if after[:1] in ("+", "-", " ") and after.strip() and not after.startswith("--- "):
        return None  # more lines than were counted
    return list(lines[start:end])


def _hunk(header: re.Match[str], body: Sequence[str]) -> Hunk:
    start = None
    if header[1] is not None:  # a hunk without old lines goes after the line that it names
        start = int(header[1]) - (0 if header[2] == "0" else 1)
    hunk = Hunk(start)
    for line in body:
        mark, rest = line[:1], line[1:]
        if line == _NO_NEWLINE:
            continue
        if mark in ("-", " ", ""):
            hunk.old.append(rest)
        if mark in ("+", " ", ""):
            hunk.new.append(rest)
        if mark not in ("+", "-", " ", ""):  # a context line whose leading space got lost
            hunk.old.append(line)
            hunk.new.append(line)
    return hunk


def _fit(lines: Sequence[str], hunk: Hunk, expected: int | None, number: int) -> int:
    if not hunk.old:
        if expected is None:
            raise EditError(f"hunk {number} only adds lines and does not say where: keep lines around them")
        return min(expected, len(lines))
    if expected is not None and list(lines[expected : expected + len(hunk.old)]) == hunk.old:
        return expected
    places = _places(lines, hunk.old)
    if not places:
        raise EditError(f"hunk {number} does not fit the last candidate: it has no lines {_quoted(hunk.old)}")
    if expected is None and len(places) > 1:
        raise EditError(f"hunk {number} fits the last candidate in {len(places)} places: keep more lines around it")
    return min(places, key=lambda place: abs(place - (expected or 0)))


def _places(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted lines stand: to the letter, or else but for white space at the ends of lines."""
    size = len(wanted)
    starts = range(len(lines) - size + 1)
    exact = [n for n in starts if list(lines[n : n + size]) == list(wanted)]
    if exact:
        return exact
    bare = [line.rstrip() for line in wanted]
    return [n for n in starts if [line.rstrip() for line in lines[n : n + size]] == bare]


def _quoted(lines: Sequence[str]) -> str:
    first = next((line.strip() for line in lines if line.strip()), "")
    return repr(first[:80])
