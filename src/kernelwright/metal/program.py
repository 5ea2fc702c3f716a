"""The way of a Metal source to a loadable program, in one screen. Imports no torch."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from kernelwright.metal import cache, language, strict
from kernelwright.metal.build import Builder, sources_digest
from kernelwright.metal.contract import Diagnostic, KernelArgument, KernelSignature, Severity, Translation
from kernelwright.metal.errors import MetalCompileError
from kernelwright.metal.language.tokens import Place, SourceError, Token, tokenize
from kernelwright.metal.preprocess import preprocess
from kernelwright.metal.toolchain import CompilerFailed, Toolchain, find

Constants = Mapping[str | int, bool | int | float]
"""Values of function constants, by name or by index."""

_ROOM = Path(__file__).parent
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Program:
    """A compiled Metal source."""

    library: Path
    """What is loaded to run it: a shared library, or PTX."""
    kernels: tuple[KernelSignature, ...]
    warnings: tuple[Diagnostic, ...]
    toolchain: Toolchain
    checked: bool


class Backend(Protocol):
    """Makes code of translated programs for one kind of device."""

    @property
    def toolchain(self) -> Toolchain: ...

    @property
    def identity(self) -> str:
        """Names everything but a program's own text that its code depends on."""
        ...

    @property
    def lockstep(self) -> bool:
        """Whether kernels get a second form, in which all threads take each step together, where that is possible."""
        ...

    @property
    def device(self) -> Literal["cpu", "nvptx"]: ...

    def program(self, text: str, folder: Path) -> Path:
        """Compiles translated ``text`` into ``folder/program.*``. Raises ``CompilerFailed``."""
        ...


@dataclass(frozen=True)
class Choice:
    """What the host chooses when it compiles a source."""

    constants: Constants
    kernels: frozenset[str] | None
    """Host names; ``None``: all that the source has."""

    @property
    def key(self) -> tuple[object, ...]:
        wanted = None if self.kernels is None else sorted(self.kernels)
        return sorted(self.constants.items(), key=repr), wanted


def build(
    source: str,
    *,
    checked: bool = False,
    backend: Backend | None = None,
    includes: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    constants: Constants | None = None,
    kernels: Collection[str] | None = None,
    file: str = "program.metal",
) -> Program:
    """Compiles a source, or finds it compiled. ``backend``: what for; by default the CPU, with or without checks.
    ``kernels``: host names of the only ones that are wanted.

    Raises ``MetalCompileError`` when it is no Metal, ``ToolchainMissing`` when this machine cannot compile.
    """
    builder = backend or Builder(find(), checked)
    choice = Choice(dict(constants or {}), None if kernels is None else frozenset(kernels))
    try:
        text = preprocess(source, builder.toolchain, includes=includes, defines=defines, file=file)
    except CompilerFailed as error:
        raise MetalCompileError(_with_lines(_explained(error), source, file)) from None

    def make(folder: Path) -> None:
        try:
            found, warnings = _compile(text, choice, builder, folder, file)
        except MetalCompileError as error:
            raise MetalCompileError(_with_lines(error.diagnostics, source, file)) from None
        _write_record(folder, found, _with_lines(warnings, source, file))

    folder = cache.entry(
        "programs", cache.key(builder.identity, builder.lockstep, _translator(), text, *choice.key), make
    )
    found, warnings = _read_record(folder)
    (library,) = (path for path in folder.glob("program.*") if path.suffix != ".json")
    return Program(library, found, warnings, builder.toolchain, checked)


def _compile(
    text: str, choice: Choice, builder: Backend, folder: Path, file: str
) -> tuple[tuple[KernelSignature, ...], tuple[Diagnostic, ...]]:
    """Preprocessed text into ``folder``: rules of the language first, then translation, then the compiler."""

    def translated(tokens: list[Token], without: Collection[str] = ()) -> Translation:
        return language.translate(
            tokens, constants=choice.constants, kernels=choice.kernels, backend=builder.device,
            lockstep=builder.lockstep, without=without,
        )  # fmt: skip

    try:
        tokens = tokenize(text, file)
        diagnostics = strict.check(tokens)
        if any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics):
            raise MetalCompileError(diagnostics)
        translation = translated(tokens)
    except SourceError as error:
        raise MetalCompileError([Diagnostic(Severity.ERROR, error.message, error.place)]) from None
    without: set[str] = set()
    try:
        while (rejected := _rejected(builder, translation, folder)) is not None:
            without |= rejected
            translation = translated(tokenize(text, file), without)
    except CompilerFailed as error:
        raise MetalCompileError((*diagnostics, *_explained(error))) from None
    return translation.kernels, diagnostics


def _rejected(builder: Backend, translation: Translation, folder: Path) -> set[str] | None:
    """Compiles; the kernels whose form in lockstep the compiler did not take, ``None`` where all is well.

    Where it does not say which, all that have one: what is wrong is then said about the programs without. Raises
    ``CompilerFailed`` where no kernel has one.
    """
    try:
        builder.program(translation.text, folder)
    except CompilerFailed as error:
        if not translation.lockstep:
            raise
        places = translation.lockstep.items()
        found = {name for name, place in places if f"{place.file}:{place.line}:" in error.stderr}
        return found or set(translation.lockstep)
    return None


def _explained(error: CompilerFailed) -> tuple[Diagnostic, ...]:
    """The compiler's errors in the user's terms. A compiler that broke off without one is no fault of the program."""
    found = strict.explain(error.stderr)
    if not found:
        raise error
    return found


def _with_lines(diagnostics: Iterable[Diagnostic], source: str, file: str) -> tuple[Diagnostic, ...]:
    """The diagnostics with the user's own lines, where they are known, and columns that count in these.

    Before, text and column are those of the preprocessed or translated line.
    """
    texts: dict[str, list[str]] = {file: source.splitlines()}

    def line(place: Place) -> str:
        if place.file not in texts:
            texts[place.file] = _lines_of(Path(place.file))
        lines = texts[place.file]
        return lines[place.line - 1].rstrip() if 0 < place.line <= len(lines) else ""

    return tuple(_moved(d, line(d.place)) for d in diagnostics)


def _moved(diagnostic: Diagnostic, line: str) -> Diagnostic:
    """The diagnostic over the user's line, its column at the same occurrence of the same word."""
    place, text = diagnostic.place, diagnostic.text
    if not line or text in ("", line):
        return replace(diagnostic, text=line or text)
    found = _WORD.match(text, place.column - 1)
    word = found.group() if found else ""
    column = 0
    if word:
        same = [match.start() for match in _WORD.finditer(line) if match.group() == word]
        before = sum(match.group() == word for match in _WORD.finditer(text, 0, place.column - 1))
        column = same[min(before, len(same) - 1)] if same else 0
    column = column or len(line) - len(line.lstrip())
    return replace(diagnostic, text=line, place=replace(place, column=column + 1))


def _lines_of(path: Path) -> list[str]:
    """Of an included file; markers also name things that are no files."""
    try:
        return path.read_text(errors="replace").splitlines() if path.is_file() else []
    except OSError:
        return []


def _translator() -> str:
    """Names the code that turns Metal into C++."""
    folders = (_ROOM, _ROOM / "language", _ROOM / "strict")
    return cache.key(*(sources_digest(folder, "*.py") for folder in folders))


def _write_record(folder: Path, kernels: Iterable[KernelSignature], warnings: Iterable[Diagnostic]) -> None:
    record = {"kernels": [asdict(k) for k in kernels], "warnings": [asdict(w) for w in warnings]}
    (folder / "program.json").write_text(json.dumps(record))


def _read_record(folder: Path) -> tuple[tuple[KernelSignature, ...], tuple[Diagnostic, ...]]:
    record: dict[str, Any] = json.loads((folder / "program.json").read_text())
    kernels: list[KernelSignature] = []
    for data in record["kernels"]:
        arguments = tuple(KernelArgument(**argument) for argument in data["arguments"])
        kernels.append(KernelSignature(**data | {"arguments": arguments, "place": Place(**data["place"])}))
    warnings = [
        Diagnostic(**data | {"place": Place(**data["place"]), "severity": Severity(data["severity"])})
        for data in record["warnings"]
    ]
    return tuple(kernels), tuple(warnings)
