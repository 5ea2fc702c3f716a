"""What the user gave, checked and turned into values."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kernelwright.cli.usage import fail, usage_errors

if TYPE_CHECKING:
    from kernelwright.authors.folder import TaskFolder
    from kernelwright.platforms import Platform
    from kernelwright.schema import Budget, Precision, Problem, Target
    from kernelwright.store import Store

Choice = TypeVar("Choice", bound=StrEnum)


def problem(path: str) -> "Problem":
    from kernelwright.problems import from_file
    from kernelwright.schema import ProblemError

    with usage_errors(ProblemError):
        readable_file(path, "problem")
        return from_file(path)


def problem_and_folder(path: str) -> "tuple[Problem, TaskFolder | None]":
    """The problem, and the task's folder that it lies in, if it does."""
    from kernelwright.authors.folder import TaskFolder, TaskFolderError

    with usage_errors(TaskFolderError):
        folder = TaskFolder.around(path)
        return (problem(path), None) if folder is None else (folder.problem(), folder)


def as_the_task_says(
    folder: "TaskFolder", language: "Target | None", rule: "Precision | None", device: str | None
) -> "tuple[Target, Precision, str]":
    """Target, precision and platform of the task; whoever asks for others is told."""
    task = folder.task
    asked = (language or task.target, rule or task.precision, device or task.platform)
    if asked != (task.target, task.precision, task.platform):
        fail(
            f"this task is for target {task.target}, precision {task.precision}, platform {task.platform}: "
            "judge without these options"
        )
    return asked


def readable_file(path: str, what: str) -> str:
    """The text of a file that the user named."""
    file = Path(path)
    if not file.exists():
        fail(f"no such {what} file: {path}")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read {what} file {path}: {getattr(error, 'strerror', None) or error}")


def target(name: str | None) -> "Target | None":
    from kernelwright.schema import Target

    return None if name is None else one_of(Target, name, "target")


def precision(name: str) -> "Precision":
    from kernelwright.schema import Precision

    return one_of(Precision, name, "precision")


def budget(text: str) -> "Budget":
    from kernelwright.schema import Budget

    with usage_errors(ValueError):
        return Budget.parse(text)


def platform(name: str | None) -> "Platform":
    from kernelwright import platforms

    with usage_errors(LookupError):
        found = platforms.get(name)
    why_not = found.why_not()
    if why_not is not None:
        fail(f"platform {found.name} is not available here: {why_not}")
    return found


def authors(names: list[str] | None, language: "Target | None", platform: str) -> tuple[str, ...]:
    """Author names that exist, or the default ones for the language and platform.

    ``replay:RUN`` stands for all of that run's.
    """
    from kernelwright import authors as registry
    from kernelwright.authors import replay

    with usage_errors(LookupError):
        given = [one for name in names or () for one in replay.expanded(name)]
    chosen = tuple(dict.fromkeys(given)) or registry.default_names(language, platform)
    if not chosen:
        fail(
            f"no author writes {language}: name one with --author (PROVIDER:MODEL for a language model, "
            "file:PATH for a candidate of your own)"
        )
    for name in chosen:
        with usage_errors(LookupError):
            registry.get(name)
        if name.startswith("file:"):
            readable_file(str(Path(name.removeprefix("file:")).expanduser()), "candidate")
    return chosen


def analyst(name: str) -> str:
    """The name of an analyst that exists."""
    from kernelwright import analysis

    with usage_errors(LookupError):
        return analysis.get(name).name


def folder(path: str) -> Path:
    """Made before the work begins, for nobody wants to learn after minutes that it cannot be written."""
    made = Path(path)
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot write to {path}: {error.strerror or error}")
    return made


def store() -> "Store":
    from kernelwright.store import Store, StoreError

    with usage_errors(StoreError):
        return Store.open()


def one_of(kind: type[Choice], name: str, what: str) -> Choice:
    """The value of that name."""
    try:
        return kind(name)
    except ValueError:
        fail(f"no {what} {name!r}: there are {', '.join(kind)}")
