"""What the checks saw, in the user's terms: kinds, lines, names of arguments. Imports no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.dwarf_lines import Line, LineTable
from kernelwright.metal.launch import Extent, KwReport
from kernelwright.metal.preprocess import HEADERS


class ReportKind(StrEnum):
    """What can be wrong; in the order of ``KwReportKind``."""

    OUT_OF_BOUNDS = "out_of_bounds"
    """Device or threadgroup memory outside the buffer or variable."""
    UNINITIALIZED = "uninitialized"
    """Threadgroup memory read before it was written."""
    RACE = "race"
    """Two threads, one of them writing, without a barrier between them."""
    DIVERGENCE = "divergence"
    """A barrier or simdgroup operation that some threads never reach, or that threads reach in different places."""
    SHUFFLE = "shuffle"
    """A value asked of a lane that does not take part."""
    MISALIGNED = "misaligned"
    """An address that the type accessed does not allow."""
    DIVISION = "division"
    """An integer divided by zero."""


_KINDS = tuple(ReportKind)


@dataclass(frozen=True)
class Report:
    """One broken rule, where it first showed."""

    kind: ReportKind
    message: str
    """One line: what happened, in the names of the source."""
    file: str
    line: int
    """Counted from 1; 0 where it is not known."""
    other_line: int
    """Of the other access of a race, or the other place of a divergence; 0: none."""
    buffer: int | None
    """Index of the buffer that was hit or missed; ``None``: threadgroup or thread memory, or nothing nearby."""
    argument: str
    """The buffer's name in the source, or the threadgroup variable's."""
    thread: int
    """Index in its threadgroup."""
    other_thread: int | None
    threadgroup: tuple[int, int, int]
    """Position in the grid of threadgroups."""

    @property
    def suspicion(self) -> bool:
        """Often a mistake, but one that the language allows or that need not change a result.

        A ``simd_`` or ``quad_`` operation that a part of its SIMD-group reaches works among the active threads (section
        6.9.2 of the specification). A value moved from a lane without a thread is undefined, but a thread may get one
        and not use it. Several threads that write the same place by the same statement do no harm where they write the
        same value; where they do not, the result depends on the order in which threads run.
        """
        if self.kind is ReportKind.DIVERGENCE:
            return self.argument.startswith(("simd_", "quad_"))
        if self.kind is ReportKind.SHUFFLE:
            return self.moved
        return self.kind is ReportKind.RACE and self.line == self.other_line and self.message.startswith("write")

    @property
    def moved(self) -> bool:
        """A shuffle that moves all values up or down, as reductions do, took one from a lane without a thread."""
        moving = ("shuffle_down", "shuffle_up", "shuffle_and_fill")
        return self.kind is ReportKind.SHUFFLE and self.argument.partition("_")[2].startswith(moving)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else ""
        return f"{place}{self.kind}: {self.message} [thread {self.thread} of threadgroup {self.threadgroup}]"


def read_reports(
    records: Iterable[KwReport], library: Path, kernel: KernelSignature, buffers: Mapping[int, Extent]
) -> list[Report]:
    """The runtime's records as reports. ``buffers`` are those of the launch."""
    names = {argument.index: argument.name for argument in kernel.arguments if argument.kind == "buffer"}
    return [_report(record, library, names, buffers) for record in _whole(records)]


def _whole(records: Iterable[KwReport]) -> list[KwReport]:
    """Without those that go on where another one ends: the further components of the same vector."""
    ends: set[tuple[object, ...]] = set()
    found: list[KwReport] = []
    for record in records:
        what = (record.kind, record.write, record.buffer, record.subject, record.line, record.file)
        who = (tuple(record.threadgroup), record.thread, record.other_thread)
        if not record.bytes or (*what, *who, record.offset) not in ends:
            found.append(record)
        ends.add((*what, *who, record.offset + record.bytes))
    return found


def _report(record: KwReport, library: Path, names: dict[int, str], buffers: Mapping[int, Extent]) -> Report:
    kind = _KINDS[record.kind]
    subject = record.subject.decode(errors="replace")
    buffer = record.buffer if record.buffer >= 0 else None
    here = _place(library, record.program_counter, record.file, record.line)
    other = _place(library, record.other_program_counter, record.file, record.other_line)
    argument = subject or (names.get(buffer, "") if buffer is not None else "")
    two = kind in (ReportKind.RACE, ReportKind.DIVERGENCE)
    return Report(
        kind=kind,
        message=_message(kind, record, argument, buffer, buffers, other.line if two else 0),
        file=here.file,
        line=here.line,
        other_line=other.line if two else 0,
        buffer=buffer,
        argument=argument,
        thread=record.thread,
        other_thread=record.other_thread if kind is ReportKind.RACE else None,
        threadgroup=(record.threadgroup[0], record.threadgroup[1], record.threadgroup[2]),
    )


def _message(
    kind: ReportKind, record: KwReport, name: str, buffer: int | None, buffers: Mapping[int, Extent], other_line: int
) -> str:
    access = _access(record, name, buffer, buffers)
    line = f" at line {other_line}" if other_line else ""
    match kind:
        case ReportKind.OUT_OF_BOUNDS:
            return access
        case ReportKind.UNINITIALIZED:
            return f"{access}, before any thread has written it"
        case ReportKind.RACE:
            return f"{access}; thread {record.other_thread} accesses it{line}, and no barrier orders the two"
        case ReportKind.DIVERGENCE:
            others = f"others wait{line}" if line else "others have ended"
            return f"not all threads reach this {name or 'barrier'}: {others}"
        case ReportKind.SHUFFLE:
            lane = f"lane {record.offset}, which" if record.offset >= 0 else "a lane that"
            return f"{name or 'the operation'} asks for the value of {lane} does not take part"
        case ReportKind.MISALIGNED:
            return f"{access}: the address is not a multiple of what the type needs"
        case ReportKind.DIVISION:
            return "an integer is divided by zero"


def _access(record: KwReport, name: str, buffer: int | None, buffers: Mapping[int, Extent]) -> str:
    """What was accessed, and where that lies."""
    if not record.bytes:  # seen before it became an access
        return f"access outside of {name}" if name.startswith("the ") else f"index {record.offset} is outside of {name}"
    what = f"{'write' if record.write else 'read'} of {record.bytes} byte{'s' if record.bytes != 1 else ''}"
    if buffer is not None:
        argument = f" ({name})" if name else ""
        size = buffers[buffer].bytes if buffer in buffers else 0
        return f"{what} at byte {record.offset} of buffer {buffer}{argument}, which has {size}"
    return f"{what} at byte {record.offset} of threadgroup memory {name}" if name else f"{what} near no buffer"


def _place(library: Path, program_counter: int, file: bytes, line: int) -> Line:
    if line:
        return Line(file.decode(errors="replace"), line)
    found = line_table(library).find(program_counter, _is_ours) if program_counter else None
    return found or Line("", 0)


@cache
def line_table(library: Path) -> LineTable:
    """The line table of a checked program."""
    return LineTable(library)


def line_of(library: Path, program_counter: int) -> int:
    """The user's line that the code at ``program_counter`` comes from; 0: not known."""
    return _place(library, program_counter, b"", 0).line


def expressions(library: Path) -> tuple[list[int], list[int]]:
    """Where code changes from one of the user's expressions to the next; see ``LineTable.expressions``."""
    return line_table(library).expressions(_is_ours)


def _is_ours(file: str) -> bool:
    """Whether a line belongs to our headers rather than to the user."""
    return file.startswith(str(HEADERS)) or Path(file).name.startswith("kw_")
