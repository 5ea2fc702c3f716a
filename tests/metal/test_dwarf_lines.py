"""Machine code addresses and the lines they come from, against functions whose place is known."""

import ctypes
from pathlib import Path

import pytest

from kernelwright.metal.build import Builder, system_libraries
from kernelwright.metal.dwarf_lines import Line, LineTable, NotReadable
from kernelwright.metal.toolchain import Toolchain, run

SOURCE = """\
# 10 "first.metal"
extern "C" int one(int x) {
  return x * 3;
}
# 200 "folder/second.metal" 1
extern "C" int two(int* p) {

  return *p + 1;
}
__attribute__((nodebug)) static inline int hidden(int* p) { return *p * 5; }
extern "C" int three(int* p) {
  return hidden(p);
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-4", "-gdwarf-5"])
def library(request: pytest.FixtureRequest, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    code, shared = folder / "code.o", folder / "code.so"
    flags = ["-x", "c++", "-O1", "-fPIC", "-gline-tables-only", request.param, "-nostdinc"]
    run([*toolchain.clang, *flags, "-c", "-", "-o", str(code)], SOURCE)
    run([*toolchain.linker, "-shared", "-o", str(shared), str(code)])
    return shared


def lines_of(library: Path, function: str, length: int = 4) -> set[Line]:
    loaded = ctypes.CDLL(str(library))
    base = _base(library)
    start = ctypes.cast(loaded[function], ctypes.c_void_p).value or 0
    table = LineTable(library)
    return {line for address in range(start - base, start - base + length) if (line := table.find(address))}


def _base(library: Path) -> int:
    with Path("/proc/self/maps").open() as maps:
        return min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(str(library)))


def test_lines_are_those_of_the_markers(library: Path):
    assert Line("first.metal", 11) in lines_of(library, "one")
    found = lines_of(library, "two")
    assert Line("folder/second.metal", 202) in found
    assert all(line.file == "folder/second.metal" for line in found)


def test_code_without_lines_counts_to_its_caller(library: Path):
    assert {line.line for line in lines_of(library, "three")} <= {205, 206}
    assert Line("folder/second.metal", 206) in lines_of(library, "three")


def test_lines_can_be_passed_over(library: Path):
    loaded = ctypes.CDLL(str(library))
    address = (ctypes.cast(loaded["two"], ctypes.c_void_p).value or 0) - _base(library)
    assert LineTable(library).find(address, lambda file: True) is None


def test_addresses_outside_of_the_code_have_no_line(library: Path):
    table = LineTable(library)
    assert table.find(0) is None
    assert table.find(table.size) is None
    assert table.find(1 << 60) is None


def test_the_size_covers_what_is_loaded(library: Path):
    loaded = ctypes.CDLL(str(library))
    base = _base(library)
    for function in ("one", "two", "three"):
        assert (ctypes.cast(loaded[function], ctypes.c_void_p).value or 0) < base + LineTable(library).size


def test_a_file_without_line_tables_has_no_lines():
    table = LineTable(Path(system_libraries("libm.so.6")[0]))
    assert table.find(4096) is None
    assert table.size > 0


def test_what_is_no_library_is_said(tmp_path: Path):
    (tmp_path / "text").write_text("no library")
    with pytest.raises(NotReadable, match="ELF"):
        LineTable(tmp_path / "text")


def test_checked_programs_have_line_tables(toolchain: Toolchain):
    assert "-gline-tables-only" in Builder(toolchain, checked=True).flags
    assert "-gline-tables-only" not in Builder(toolchain).flags


def test_expressions_are_told_apart_by_their_columns(toolchain: Toolchain, tmp_path: Path):
    source = '# 1 "mine.metal"\nextern "C" int f(int* p, int* q) { return p[0] / q[0]; }\n'
    code, shared = tmp_path / "code.o", tmp_path / "code.so"
    flags = ["-x", "c++", "-O1", "-fPIC", "-gline-tables-only", "-nostdinc"]
    run([*toolchain.clang, *flags, "-c", "-", "-o", str(code)], source)
    run([*toolchain.linker, "-shared", "-o", str(shared), str(code)])
    table = LineTable(shared)
    addresses, numbers = table.expressions()
    assert addresses == sorted(addresses)
    assert len(addresses) == len(numbers)
    assert len(set(numbers) - {0}) > 2
    assert numbers[-1] == 0
    assert table.expressions(lambda file: True)[1] == [0] * len(addresses)
