"""What happens on a Mac, as far as another machine can tell: sources, command lines, line tables, the way to torch."""

import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from cross_compiling import compile_all, compile_program, runtime_sources, toolchain_for
from metal_programs import ADD, SOFTMAX

from kernelwright.metal import compile_shader
from kernelwright.metal.build import Builder, runtime_library
from kernelwright.metal.dwarf_lines import Line, LineTable
from kernelwright.metal.mach_o import OBJECT
from kernelwright.metal.target import Target
from kernelwright.metal.toolchain import Toolchain, run

MAC = Target("darwin", "aarch64")
FUNCTIONS = """\
# 10 "first.metal"
extern "C" int one(int x) {
  return x * 3;
}
# 20 "second.metal"
extern "C" int two(int* p) {
  return *p + 1;
}
"""


@pytest.fixture(scope="module")
def wheel_for_macs() -> Toolchain:
    return toolchain_for(MAC, "arm64-apple-macos14")


@pytest.fixture
def xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """Writes down how it is called, and makes empty files."""
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    program = tmp_path / "clang"
    program.write_text(
        f'#!/bin/sh\ncat > /dev/null\necho "$@" >> {tmp_path}/calls\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n'
    )
    program.chmod(0o755)
    return Toolchain((str(program),), (str(program),), "Apple clang 15.0.0", target=MAC)


def test_the_runtime_compiles(wheel_for_macs: Toolchain, tmp_path: Path):
    codes = compile_all(wheel_for_macs, tmp_path, runtime_sources(), "-Werror", "-Wall")
    assert len(codes) > 10
    assert all(code.read_bytes()[:8] == b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01" for code in codes)  # 64-bit ARM


@pytest.mark.parametrize("checked", [False, True], ids=["fast", "checked"])
def test_programs_compile(wheel_for_macs: Toolchain, tmp_path: Path, checked: bool):
    code = compile_program(wheel_for_macs, tmp_path, SOFTMAX, checked=checked).read_bytes()
    assert b"_kw_kernel_0\0" in code
    assert (b"___tsan_read4\0" in code) is checked


def test_programs_are_linked_by_the_compiler(xcode: Toolchain, tmp_path: Path):
    library = Builder(xcode).program("", tmp_path)
    *_, compiling, linking = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert linking == ["-dynamiclib", "-undefined", "dynamic_lookup", "-o", str(library), f"{tmp_path}/{OBJECT}"]
    assert (tmp_path / OBJECT).exists()  # it has the line tables
    assert "-fsigned-char" in compiling
    assert not {word for word in compiling if word.startswith(("-march", "-mcpu", "-mno-outline"))}


def test_the_runtime_is_linked_without_libraries_of_linux(xcode: Toolchain, tmp_path: Path):
    library = runtime_library(xcode)
    *compiling, linking = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert linking[:2] == ["-dynamiclib", "-o"]
    assert [Path(word).suffix for word in linking[3:]] == [".o"] * len(compiling)
    assert library.name == "libkw_metal.so"


def mach_o(symbols: dict[str, int], size: int) -> bytes:
    """A library with a segment of ``size`` bytes and these functions; nothing else of it is read."""
    names, entries = b"\0", b""
    for name, address in symbols.items():
        entries += struct.pack("<IBBHQ", len(names), 0x0F, 1, 0, address)
        names += name.encode() + b"\0"
    start = 32 + 72 + 24
    segment = struct.pack("<II16sQQQQiiII", 0x19, 72, b"__TEXT", 0, size, 0, 0, 5, 5, 0, 0)
    table = struct.pack("<IIIIII", 2, 24, start, len(symbols), start + len(entries), len(names))
    head = struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 2, len(segment + table), 0, 0)
    return head + segment + table + entries + names


@pytest.mark.parametrize("dwarf", ["-gdwarf-4", "-gdwarf-5"])
def test_lines_come_from_the_object_beside_the_library(wheel_for_macs: Toolchain, tmp_path: Path, dwarf: str):
    code = tmp_path / OBJECT
    flags = ["-x", "c++", "-O1", "-gline-tables-only", dwarf, "-nostdinc"]
    run([*wheel_for_macs.clang, *flags, "-c", "-", "-o", str(code)], FUNCTIONS)
    library = tmp_path / "program.so"
    library.write_bytes(mach_o({"_two": 0x4000, "_one": 0x5000, "_other": 0x6000}, 0x8000))
    table = LineTable(library)
    assert table.size == 0x8000
    assert table.find(0x4000) == Line("second.metal", 21)
    assert table.find(0x5000) == Line("first.metal", 11)
    assert table.find(0x3FFF) is None


def test_without_the_object_lines_are_unknown(tmp_path: Path):
    library = tmp_path / "program.so"
    library.write_bytes(mach_o({"_one": 0x4000}, 0x8000))
    table = LineTable(library)
    assert (table.size, table.find(0x4000)) == (0x8000, None)


def test_a_mac_with_a_gpu_leaves_it_to_torch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "compile_shader", lambda source: ("torch's", source))
    assert compile_shader(ADD) == ("torch's", ADD)


@pytest.mark.parametrize("argument", [{"includes": [Path()]}, {"constants": {"n": 1}}, {"kernels": ["add"]}])
def test_what_torch_on_a_mac_does_not_know_is_refused(argument: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(RuntimeError, match=r"torch\.mps\.compile_shader does not know"):
        compile_shader(ADD, **argument)


@pytest.mark.parametrize(("gpu", "check"), [(False, False), (False, True), (True, True)])
def test_checks_and_macs_without_a_gpu_use_the_processor(
    gpu: bool, check: bool, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: gpu)
    a, out = torch.arange(10.0), torch.zeros(10)
    compile_shader(ADD, check=check).add(a, a, out)
    assert out.tolist() == (2 * a).tolist()
