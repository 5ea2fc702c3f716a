"""Records as C lays them out, builds that are kept, and places where nothing can be kept."""

import ctypes
import json
import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from metal_programs import ADD

from kernelwright.metal import cache, counting, launch
from kernelwright.metal.build import Builder, runtime_library
from kernelwright.metal.errors import MetalCompileError
from kernelwright.metal.preprocess import HEADERS, preprocess
from kernelwright.metal.program import build
from kernelwright.metal.toolchain import CompilerFailed, Toolchain, run

RECORDS = (launch.KwLaunch, launch.KwArgumentInfo, launch.KwKernel, launch.KwReport, counting.KwAccess)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_are_laid_out_as_in_c(record: type[ctypes.Structure], toolchain: Toolchain, tmp_path: Path):
    fields = [name for name, *_ in record._fields_]
    measures = [f"sizeof({record.__name__})", *(f"__builtin_offsetof({record.__name__}, {name})" for name in fields)]
    sizes = [f"sizeof((({record.__name__}*)0)->{name})" for name in fields]
    text = f'#include "kw_abi.h"\nextern "C" const unsigned long layout[] = {{{", ".join(measures + sizes)}}};'
    code, library = tmp_path / "layout.o", tmp_path / f"{record.__name__}.so"
    run([*toolchain.clang, "-x", "c++", "-nostdinc", "-I", str(HEADERS), "-fPIC", "-c", "-", "-o", str(code)], text)
    run([*toolchain.linker, "-shared", "-o", str(library), str(code)])
    said = list((ctypes.c_ulong * (1 + 2 * len(fields))).in_dll(ctypes.CDLL(str(library)), "layout"))
    offsets = [getattr(record, name).offset for name in fields]
    lengths = [getattr(record, name).size for name in fields]
    assert said == [ctypes.sizeof(record), *offsets, *lengths]


def test_constants_are_those_of_the_header():
    text = (HEADERS / "kw_abi.h").read_text()
    defined = dict(re.findall(r"#define (KW_\w+) (\d+)", text))
    assert int(defined["KW_BUFFERS"]) == launch.BUFFERS
    assert int(defined["KW_MAX_THREADS"]) == launch.MAX_THREADS
    assert int(defined["KW_SIMD_WIDTH"]) == launch.SIMD_WIDTH
    values = {name: int(value) for name, value in re.findall(r"(KW_ORDER_\w+|KW_CHECK_\w+) = (\d+)", text)}
    assert values == {f"KW_ORDER_{order.name}": order.value for order in launch.Order} | {
        f"KW_CHECK_{name}": launch.Check[name].value for name in ("NONE", "RULES", "COUNTS", "OTHER_ABSENT")
    }


def test_a_folder_appears_whole_or_not_at_all(home: Path):
    def fails(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        cache.entry("tests", "one", fails)
    assert list((home / "cache/metal/tests").iterdir()) == []
    found = cache.entry("tests", "one", lambda folder: (folder / "whole").write_text("whole") and None)
    assert [path.name for path in found.iterdir()] == ["whole"]


def test_an_entry_is_made_once(home: Path):
    made: list[Path] = []
    for once in (True, False):
        paths = {cache.entry("tests", f"once {once}", made.append, once=once) for _ in range(3)}
        assert paths == {home / "cache/metal/tests" / f"once {once}"}
    assert len(made) == 2


def test_names_follow_from_content():
    assert cache.key("a", 1) == cache.key("a", 1)
    assert len({cache.key("a", 1), cache.key("a", "1"), cache.key("a1"), cache.key("a", 1, "")}) == 4


def test_what_was_used_longest_ago_goes(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "MOST_ENTRIES", 4)
    for number in range(4):
        path = cache.entry("tests", str(number), lambda folder: None)
        os.utime(path, (number, number))
    cache.entry("tests", "0", lambda folder: None)  # used again
    cache.entry("tests", "4", lambda folder: None)
    assert sorted(path.name for path in (home / "cache/metal/tests").iterdir()) == ["0", "3", "4"]


def _write(arguments: tuple[str, int]) -> str:
    home, number = arguments
    os.environ["KERNELWRIGHT_HOME"] = home

    def make(folder: Path) -> None:
        for part in range(20):
            (folder / str(part)).write_text(str(number))

    found = cache.entry("tests", "shared", make)
    return "".join((found / str(part)).read_text() for part in range(20))


def test_processes_do_not_see_each_others_halves(tmp_path: Path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        contents = pool.map(_write, [(str(tmp_path), number) for number in range(8)], chunksize=1)
    assert len(set(contents)) == 1
    assert len(set(contents[0])) == 1


def test_a_home_that_cannot_be_written_is_replaced_for_the_process(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    code = (
        "from kernelwright.metal import cache\n"
        "path = cache.entry('tests', 'x', lambda folder: (folder / 'a').write_text('a') and None)\n"
        "print(path, (path / 'a').read_text())"
    )
    environment = {**os.environ, "KERNELWRIGHT_HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    path, content = done.stdout.split()
    assert content == "a"
    assert Path(path).is_relative_to(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]  # it cleaned up behind itself


def test_the_preprocessor_keeps_the_users_lines(toolchain: Toolchain):
    text = preprocess("#define N 4\n\nint x = N;\n", toolchain, file="mine.metal", defines={"M": "5"})
    assert '# 1 "mine.metal"' in text
    assert "int x = 4;" in text


def test_the_preprocessor_knows_what_programs_test(toolchain: Toolchain, tmp_path: Path):
    (tmp_path / "extra.h").write_text("int from_extra;\n")
    source = (
        '#include "extra.h"\n#include <metal_stdlib>\n'
        "#if defined(__METAL__) && __METAL_VERSION__ >= 310 && !defined(__linux__) && M == 5\nint yes = M;\n#endif\n"
        "float x = INFINITY;\n"
    )
    text = preprocess(source, toolchain, includes=[tmp_path], defines={"M": "5"})
    assert "int yes = 5;" in text
    assert "int from_extra;" in text
    assert "x = INFINITY" not in text
    with pytest.raises(CompilerFailed, match="stop here"):
        preprocess("#error stop here", toolchain)


def test_shared_parts_are_compiled_once(toolchain: Toolchain):
    for checked in (False, True):
        builder = Builder(toolchain, checked)
        first = builder.prelude()
        stamp = first.stat().st_mtime_ns
        assert builder.prelude() == first
        assert first.stat().st_mtime_ns == stamp
    assert runtime_library(toolchain) == runtime_library(toolchain)


def test_a_program_is_found_again(home: Path, toolchain: Toolchain):
    first, second = build(ADD), build(ADD)
    assert first == second
    assert [kernel.host_name for kernel in first.kernels] == ["add"]
    assert json.loads((first.library.parent / "program.json").read_text())["kernels"][0]["name"] == "add"


@pytest.mark.parametrize(
    "other",
    [{"checked": True}, {"defines": {"N": "1"}}, {"constants": {"c": 1}}, {"file": "other.metal"}],
    ids=lambda other: next(iter(other)),
)
def test_what_changes_the_code_changes_the_program(other: dict[str, object], toolchain: Toolchain):
    source = ADD.replace("b[i];", "b[i] NOTHING;") + "\n"
    source = f"constant int c [[function_constant(0)]];\n{source}"
    source = f"#ifdef N\n#define NOTHING + N\n#else\n#define NOTHING\n#endif\n{source}"
    assert build(source, **other).library != build(source).library  # type: ignore[arg-type]


def test_a_failed_compilation_leaves_nothing(home: Path, toolchain: Toolchain):
    with pytest.raises(MetalCompileError):
        build(ADD.replace("b[i]", "nothing[i]"))
    programs = home / "cache/metal/programs"
    assert not programs.exists() or list(programs.iterdir()) == []


def test_functions_that_no_kernel_needs_are_left_out(home: Path, toolchain: Toolchain):
    source = """#include <metal_stdlib>
float never_called(float x) { return metal::sin(x); }
float taken_in(float x) { return x + 1; }
kernel void shown(device float* x, uint i [[thread_position_in_grid]]) { x[i] = taken_in(x[i]); }
kernel void hidden(device float* x, uint i [[thread_position_in_grid]]) { x[i] = 2; }
"""
    symbols = build(source, kernels=["shown"]).library.read_bytes()
    assert b"shown" in symbols
    assert not any(name in symbols for name in (b"never_called", b"taken_in", b"hidden"))
