"""Source lines of machine code addresses, read from the line tables of a library. Imports no torch.

Just what clang writes with ``-gline-tables-only``: 64-bit little-endian ELF or Mach-O, DWARF 4 and 5 in the 32-bit
format (section 6.2 of the DWARF standard). Sections that the linker compressed are not read.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernelwright.metal.mach_o import OBJECT, MachO, is_mach_o

_PT_LOAD = 1


class NotReadable(ValueError):
    """The file is not what this module reads; the message says what it met."""


@dataclass(frozen=True)
class Line:
    """A place in a source file; lines count from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class _Row:
    address: int
    file: str
    line: int
    column: int
    end: bool
    """The first address after a run of code: nothing is known from here on."""


class LineTable:
    """The line tables of one library; of an Apple one, those of the object file beside it."""

    def __init__(self, path: Path):
        data, code = path.read_bytes(), path.with_name(OBJECT)
        file = MachO(data, code.read_bytes() if code.exists() else b"") if is_mach_o(data) else _Elf(data)
        self.size = file.size
        """Bytes that the loaded file takes in memory, from its base on."""
        strings = file.section(".debug_str"), file.section(".debug_line_str")
        rows = [
            row if address == row.address else replace(row, address=address)
            for unit in _units(file.section(".debug_line"), *strings)
            for row in unit
            if (address := file.place(row.address)) is not None
        ]
        # Of several rows at one address the last one counts; an end never hides a beginning.
        rows.sort(key=lambda row: (row.address, not row.end))
        self._rows = rows
        self._addresses = [row.address for row in rows]

    def find(self, address: int, skip: Callable[[str], bool] = lambda file: False) -> Line | None:
        """The line that the instruction at ``address`` (from the file's base) comes from.

        Rows whose file ``skip`` is true for are passed over for the row before them in the same run of code.
        """
        at = bisect_right(self._addresses, address) - 1
        while at >= 0:
            row = self._rows[at]
            if row.end:
                return None
            if row.line and not skip(row.file):
                return Line(row.file, row.line)
            at -= 1
        return None

    def expressions(self, skip: Callable[[str], bool] = lambda file: False) -> tuple[list[int], list[int]]:
        """Addresses, ascending, and a number for the code from each to the next: the same for what comes from the same
        line and column, 0 for what comes from none. ``skip`` as for ``find``.
        """
        numbers: dict[tuple[str, int, int], int] = {}
        found: list[int] = []
        for row in self._rows:
            if row.end:
                found.append(0)
            elif row.line and not skip(row.file):
                found.append(numbers.setdefault((row.file, row.line, row.column), len(numbers) + 1))
            else:
                found.append(found[-1] if found else 0)
        return self._addresses, found


class _Reader:
    """A position in bytes."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def number(self, size: int) -> int:
        if self.at + size > self.end:
            raise NotReadable("a line table ends too early")
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def signed(self, size: int) -> int:
        value = self.number(size)
        return value - (1 << 8 * size) if value >> (8 * size - 1) else value

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sleb(self) -> int:
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end].decode(errors="replace")
        self.at = end + 1
        return found


class _Elf:
    """Sections and size of an ELF file."""

    def __init__(self, data: bytes):
        if data[:6] != b"\x7fELF\x02\x01":
            raise NotReadable("not a 64-bit little-endian ELF file")
        self._data = data
        programs, sections = struct.unpack_from("<QQ", data, 32)
        program_size, program_count, section_size, section_count, names = struct.unpack_from("<HHHHH", data, 54)
        self.size = 0
        for at in range(programs, programs + program_size * program_count, program_size):
            kind, _, _, address, _, _, memory = struct.unpack_from("<IIQQQQQ", data, at)
            if kind == _PT_LOAD:
                self.size = max(self.size, address + memory)
        headers = [
            struct.unpack_from("<IIQQQQ", data, sections + section_size * number) for number in range(section_count)
        ]
        name_table = headers[names][4]
        self._sections = {_Reader(data, name_table + header[0]).text(): header for header in headers}

    def section(self, name: str) -> bytes:
        """Its bytes; empty where there is no such section."""
        if name not in self._sections:
            return b""
        _, _, flags, _, offset, size = self._sections[name]
        if flags & 0x800:
            raise NotReadable(f"section {name} is compressed")
        return self._data[offset : offset + size]

    def place(self, address: int) -> int:
        """Line tables are those of the linked code."""
        return address


@dataclass
class _Header:
    """What a unit's line program needs to know."""

    minimum_length: int
    line_base: int
    line_range: int
    opcode_lengths: list[int]
    files: dict[int, str] = field(default_factory=dict)


def _units(lines: bytes, strings: bytes, line_strings: bytes) -> Iterator[list[_Row]]:
    reader = _Reader(lines)
    while reader.at < len(lines):
        length = reader.number(4)
        if length >= 0xFFFFFFF0:
            raise NotReadable("64-bit DWARF")
        unit = _Reader(lines, reader.at, reader.at + length)
        reader.at += length
        header = _header(unit, strings, line_strings)
        yield list(_Machine(unit, header).rows())


def _header(unit: _Reader, strings: bytes, line_strings: bytes) -> _Header:
    version = unit.number(2)
    if version not in (4, 5):
        raise NotReadable(f"line table of DWARF version {version}")
    if version == 5:
        unit.number(2)  # size of an address, and of a segment selector
    program = unit.number(4)
    program += unit.at
    minimum = unit.number(1)
    unit.number(2)  # operations per instruction (1), and whether rows start as statements
    header = _Header(minimum, unit.signed(1), unit.number(1), [])
    header.opcode_lengths = [unit.number(1) for _ in range(unit.number(1) - 1)]
    if version == 5:
        folders = [name for name, _ in _entries(unit, strings, line_strings)]
        for number, (name, folder) in enumerate(_entries(unit, strings, line_strings)):
            header.files[number] = _join(folders, folder, name)
    else:
        folders = [""]
        while name := unit.text():
            folders.append(name)
        number = 1
        while name := unit.text():
            header.files[number] = _join(folders, unit.uleb(), name)
            unit.uleb()  # time of change
            unit.uleb()  # size
            number += 1
    unit.at = program
    return header


def _join(folders: list[str], folder: int, name: str) -> str:
    """The name as the line marker gave it: the compiler's own folder, number 0, is not put before it."""
    return f"{folders[folder]}/{name}" if folder and folder < len(folders) and not name.startswith("/") else name


def _entries(unit: _Reader, strings: bytes, line_strings: bytes) -> list[tuple[str, int]]:
    """Names and folder numbers of a DWARF 5 table."""
    path, directory = 1, 2
    formats = [(unit.uleb(), unit.uleb()) for _ in range(unit.number(1))]
    found: list[tuple[str, int]] = []
    for _ in range(unit.uleb()):
        name, folder = "", 0
        for content, form in formats:
            match form:
                case 0x08:
                    value: str | int = unit.text()
                case 0x0E:
                    value = _Reader(strings, unit.number(4)).text()
                case 0x1F:
                    value = _Reader(line_strings, unit.number(4)).text()
                case 0x0B:
                    value = unit.number(1)
                case 0x05:
                    value = unit.number(2)
                case 0x0F:
                    value = unit.uleb()
                case 0x1E:  # an MD5 sum
                    unit.at += 16
                    continue
                case _:
                    raise NotReadable(f"form {form:#x} in a line table")
            if content == path:
                name = str(value)
            elif content == directory:
                folder = int(value)
        found.append((name, folder))
    return found


class _Machine:
    """Runs a line program: the state machine of section 6.2.5, kept to address, file, line and column."""

    def __init__(self, unit: _Reader, header: _Header):
        self.unit, self.header = unit, header
        self.first_special = len(header.opcode_lengths) + 1
        self._restart()

    def _restart(self) -> None:
        self.address, self.file, self.line, self.column = 0, 1, 1, 0

    def rows(self) -> Iterator[_Row]:
        while self.unit.at < self.unit.end:
            opcode = self.unit.number(1)
            if opcode >= self.first_special:
                self._special(opcode)
                yield self._row()
            elif opcode == 1:
                yield self._row()
            elif opcode:
                self._standard(opcode)
            elif self._extended_ends():
                yield self._row(end=True)
                self._restart()

    def _row(self, end: bool = False) -> _Row:
        return _Row(self.address, self.header.files.get(self.file, ""), self.line, self.column, end)

    def _special(self, opcode: int) -> None:
        steps, lines = divmod(opcode - self.first_special, self.header.line_range)
        self.address += steps * self.header.minimum_length
        self.line += self.header.line_base + lines

    def _standard(self, opcode: int) -> None:
        unit = self.unit
        match opcode:
            case 2:
                self.address += unit.uleb() * self.header.minimum_length
            case 3:
                self.line += unit.sleb()
            case 4:
                self.file = unit.uleb()
            case 5:
                self.column = unit.uleb()
            case 8:
                self.address += (255 - self.first_special) // self.header.line_range * self.header.minimum_length
            case 9:
                self.address += unit.number(2)
            case _:  # statement, block, prologue, epilogue, instruction set
                for _ in range(self.header.opcode_lengths[opcode - 1]):
                    unit.uleb()

    def _extended_ends(self) -> bool:
        """Whether the instruction ends a run of code."""
        length = self.unit.uleb()
        after = self.unit.at + length
        opcode = self.unit.number(1)
        if opcode == 2:
            self.address = self.unit.number(length - 1)
        self.unit.at = after  # discriminators, and what compilers add for themselves, are passed over
        return opcode == 1
