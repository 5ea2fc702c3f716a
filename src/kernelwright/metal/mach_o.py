"""Apple's object files and libraries, as far as line tables need them. Imports no torch.

Apple's linker leaves line tables in the object file. Its code stands in the library function by function: the two
symbol tables say where. Layout: ``mach-o/loader.h`` and ``mach-o/nlist.h``.
"""

import struct
from bisect import bisect_right
from dataclasses import dataclass, field

OBJECT = "code.o"
"""What the object file beside a library is called."""

_MAGIC = b"\xcf\xfa\xed\xfe"  # 64 bits, little-endian
_LC_SYMTAB, _LC_SEGMENT_64 = 0x02, 0x19
_HEADER, _SEGMENT, _SECTION, _SYMBOL = 32, 72, 80, 16
_TYPE_BITS, _IN_SECTION, _DEBUGGING = 0x0E, 0x0E, 0xE0


def is_mach_o(data: bytes) -> bool:
    return data[:4] == _MAGIC


class MachO:
    """A library, and the object file that it was linked from (``b""``: it is not there)."""

    def __init__(self, library: bytes, code: bytes):
        linked, self._file = _read(library), _read(code)
        self.size = linked.size
        """Bytes that the library takes in memory."""
        self._code = code
        known = [(place, linked.symbols[name]) for name, place in self._file.symbols.items() if name in linked.symbols]
        self._functions = sorted(known)

    def section(self, name: str) -> bytes:
        """The object's section that ELF calls ``name``; empty where there is none."""
        offset, size = self._file.sections.get(name.replace(".", "__", 1), (0, 0))
        return self._code[offset : offset + size]

    def place(self, address: int) -> int | None:
        """Where in the library the object's code at ``address`` is; ``None``: nowhere."""
        at = bisect_right(self._functions, (address, 1 << 64)) - 1
        if at < 0:
            return None
        start, found = self._functions[at]
        return found + address - start


@dataclass
class _File:
    size: int = 0
    sections: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Offset in the file, and bytes."""
    symbols: dict[str, int] = field(default_factory=dict)
    """Addresses of what the file itself defines."""


def _read(data: bytes) -> _File:
    file = _File()
    if not is_mach_o(data):
        return file
    (commands,) = struct.unpack_from("<I", data, 16)
    at = _HEADER
    for _ in range(commands):
        command, length = struct.unpack_from("<II", data, at)
        if command == _LC_SEGMENT_64:
            start, memory = struct.unpack_from("<QQ", data, at + 24)
            file.size = max(file.size, start + memory)
            (count,) = struct.unpack_from("<I", data, at + 64)
            for section in range(at + _SEGMENT, at + _SEGMENT + count * _SECTION, _SECTION):
                name, _, _, size, offset = struct.unpack_from("<16s16sQQI", data, section)
                file.sections[_text(name)] = offset, size
        elif command == _LC_SYMTAB:
            symbols, count, strings = struct.unpack_from("<III", data, at + 8)
            for symbol in range(symbols, symbols + count * _SYMBOL, _SYMBOL):
                name, kind, _, _, value = struct.unpack_from("<IBBHQ", data, symbol)
                if kind & _TYPE_BITS == _IN_SECTION and not kind & _DEBUGGING:
                    file.symbols[_text(data[strings + name : data.index(b"\0", strings + name)])] = value
        at += length
    return file


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
