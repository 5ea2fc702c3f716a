"""What a task's folder holds: the task, the problem, the candidate that is worked on, and every judgement of one.

Nothing in it is believed but the candidates' text: whoever works there may write to all of it. The problem is held
against the digest in ``task.json``, so that nobody works on another one by mistake, and verdicts are made anew when the
folder is submitted.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from kernelwright.schema import DeviceFacts, Precision, Problem, ProblemError, Record, Target, Verdict

TASK, PAGE, PROBLEM, CANDIDATE = "task.json", "TASK.md", "problem.py", "candidate.py"
EXAMPLE, ATTEMPTS, VERDICT = "example", "attempts", "verdict.json"


class TaskFolderError(ValueError):
    """The folder cannot be made or is no task. The message is one line."""


class TaskFile(Record):
    """``task.json``."""

    schema_version: Literal["kernelwright.task/1"] = Field(default="kernelwright.task/1", alias="schema")
    problem: str
    """The problem's name."""
    format: str
    digest: str
    """Of the problem: SHA-256 over format and text, hex."""
    target: Target
    precision: Precision
    platform: str
    device: DeviceFacts
    """Where the folder was made."""
    start: str
    """SHA-256 of the candidate that the folder was made with, hex."""


@dataclass(frozen=True)
class TaskFolder:
    """A folder with a task in it."""

    path: Path
    task: TaskFile

    @classmethod
    def create(cls, path: Path, task: TaskFile, files: dict[str, str]) -> "TaskFolder":
        """Write ``files`` (path inside the folder to text) and ``task.json``, the last of all.

        Raises ``TaskFolderError`` where the folder is there and not empty, or cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise TaskFolderError(f"{path} is not empty: name a folder that does not exist yet")
            for name, text in files.items():
                (path / name).parent.mkdir(exist_ok=True)
                (path / name).write_text(text, encoding="utf-8")
            written = json.loads(task.model_dump_json(by_alias=True))
            (path / TASK).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise TaskFolderError(f"cannot write to {path}: {error.strerror or error}") from error
        return cls(path, task)

    @classmethod
    def open(cls, path: Path) -> "TaskFolder":
        """Raises ``TaskFolderError``: there is no such folder, or it holds no task."""
        if not path.is_dir():
            raise TaskFolderError(f"no such folder: {path}")
        try:
            task = TaskFile.model_validate_json((path / TASK).read_bytes())
        except FileNotFoundError:
            raise TaskFolderError(
                f"{path} is not the folder of a task: it has no {TASK} (kernelwright task makes one)"
            ) from None
        except OSError as error:
            raise TaskFolderError(f"cannot read {path / TASK}: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise TaskFolderError(f"{path / TASK} is damaged: {where}: {first['msg']}") from None
        return cls(path, task)

    @classmethod
    def around(cls, problem: str | Path) -> "TaskFolder | None":
        """The folder whose problem this file is; ``None`` for any other file. Raises as ``open`` does."""
        file = Path(problem)
        if file.name != PROBLEM or not (file.parent / TASK).is_file():
            return None
        return cls.open(file.parent)

    def problem(self) -> Problem:
        """The problem that the folder was made for. Raises ``TaskFolderError`` where ``problem.py`` is another one."""
        from kernelwright.problems import from_file

        try:
            read = from_file(self.path / PROBLEM, self.task.format)
        except ProblemError as error:
            raise TaskFolderError(f"{error}: bring back the problem that the task was made with") from error
        if read.digest != self.task.digest:
            raise TaskFolderError(
                f"{self.path / PROBLEM} has changed since the task was made: undo that, or make a new task of it"
            )
        return read.model_copy(update={"name": self.task.problem})

    def record(self, source: str, verdict: Verdict) -> Path:
        """Keep one judgement under the next number; the path of its folder. Raises ``TaskFolderError``."""
        try:
            attempts = self.path / ATTEMPTS
            attempts.mkdir(exist_ok=True)
            folder = _next_folder(attempts)
            (folder / CANDIDATE).write_text(source, encoding="utf-8")
            text = json.dumps(verdict.to_json(), indent=2, ensure_ascii=False)
            (folder / VERDICT).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise TaskFolderError(f"cannot keep the verdict in {self.path}: {error.strerror or error}") from error
        return folder

    def candidates(self) -> Iterator[tuple[str, str]]:
        """Where each candidate lies, and its text: those that were judged in their order, then the one in work.

        No text comes twice. The candidate that the folder was made with is left out, judged or not: nobody here
        wrote it. A file that leads elsewhere or is no text is passed over: what lies in the folder is
        anybody's.
        """
        from kernelwright.schema import Candidate

        numbered = [p for p in (self.path / ATTEMPTS).glob("*") if re.fullmatch(r"\d+", p.name)]
        judged = [p / CANDIDATE for p in sorted(numbered, key=lambda p: int(p.name))]
        seen = {self.task.start}
        for file in (*judged, self.path / CANDIDATE):
            if file.is_symlink() or file.parent.is_symlink() or not file.is_file():
                continue
            try:
                source = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            digest = Candidate(source=source, author="").digest
            if digest not in seen:
                seen.add(digest)
                yield str(file.relative_to(self.path)), source


def _next_folder(attempts: Path) -> Path:
    """Made under the number after the highest. Judgements that end at the same moment get one each."""
    number = max((int(p.name) for p in attempts.iterdir() if p.name.isdecimal()), default=0)
    while True:
        number += 1
        folder = attempts / f"{number:03}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
