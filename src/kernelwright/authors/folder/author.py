"""``agent:NAME@DIR``: the candidates that somebody left in a task's folder, one after the other."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from kernelwright.authors.author import Task
from kernelwright.authors.folder.contents import TaskFolder, TaskFolderError
from kernelwright.schema import Attempt, Candidate

PREFIX = "agent:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def spec_of(name: str, folder: Path) -> str:
    """The name under which the registry finds the Author again. Raises ``LookupError`` for a name that is none."""
    if not NAME.fullmatch(name):
        raise LookupError(f"no name for an author: {name!r} (letters, digits, dots, dashes, underscores)")
    return f"{PREFIX}{name}@{folder.resolve()}"


def submitted(spec: str) -> "FolderAuthor":
    """The Author of ``agent:NAME@DIR``. Raises ``LookupError`` with one line."""
    name, at, folder = spec.removeprefix(PREFIX).partition("@")
    if not at or not NAME.fullmatch(name):
        raise LookupError(f"no author {spec!r}: write agent:NAME@DIR, or kernelwright submit DIR --author NAME")
    try:
        return FolderAuthor(name, TaskFolder.open(Path(folder)))
    except TaskFolderError as error:
        raise LookupError(f"author {spec!r}: {error}") from error


class FolderAuthor:
    """Proposes what lies in the folder, in the order in which it was judged there; never trusted.

    The verdicts that lie beside the candidates are not looked at: who wrote a candidate could have written them too.
    """

    trusted = False

    def __init__(self, name: str, folder: TaskFolder) -> None:
        self.name = f"{PREFIX}{name}"
        self.targets = frozenset({folder.task.target})
        self._folder = folder

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The first candidate that was not judged in this Run; ``None`` when there is none left."""
        done = {attempt.candidate.digest for attempt in history if attempt.candidate is not None}
        for place, source in self._folder.candidates():
            candidate = Candidate(
                source=source,
                author=self.name,
                target=task.target or self._folder.task.target,
                title=_first_line(source) or place,
                explanation=place,
            )
            if candidate.digest not in done:
                return candidate
        return None


def _first_line(source: str) -> str:
    """Of the file's docstring; empty where it has none or is no Python."""
    try:
        text = ast.get_docstring(ast.parse(source)) or ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return next(iter(text.splitlines()), "")[:80]
