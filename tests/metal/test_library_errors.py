"""Errors are those that callers of torch.mps expect, and say where."""

import pickle

import pytest
from metal_programs import ADD

from kernelwright.metal import MetalCheckError, MetalCompileError, Report, ReportKind, compile_shader
from kernelwright.metal.contract import Diagnostic, Severity
from kernelwright.metal.errors import UnknownKernel
from kernelwright.metal.language.tokens import Place
from kernelwright.metal.toolchain import Toolchain

DIAGNOSTIC = Diagnostic(Severity.ERROR, "no such thing", Place("mine.metal", 3, 5), "5.8", "\tx = thing;")


def test_a_diagnostic_shows_the_line_and_the_column():
    assert str(DIAGNOSTIC).splitlines() == [
        "mine.metal:3:5: error: no such thing [Metal Shading Language Specification, section 5.8]",
        "  \tx = thing;",
        "  \t   ^",
    ]


def test_compile_errors_are_caught_as_torchs():
    error = MetalCompileError([DIAGNOSTIC])
    assert isinstance(error, RuntimeError)
    assert isinstance(error, SyntaxError)  # torch._inductor catches this and reads .msg
    assert error.msg == str(error) == str(DIAGNOSTIC)
    assert error.diagnostics == (DIAGNOSTIC,)


def test_errors_travel_between_processes():
    report = Report(ReportKind.RACE, "a race", "mine.metal", 3, 4, None, "tile", 5, 6, (1, 0, 0))
    for error in (MetalCompileError([DIAGNOSTIC]), MetalCheckError("add", [report])):
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_a_check_error_lists_what_was_found():
    report = Report(ReportKind.RACE, "a race", "mine.metal", 3, 4, None, "tile", 5, 6, (1, 0, 0))
    text = str(MetalCheckError("add", [report] * 30))
    assert text.splitlines()[0] == "kernel add: 30 problems found by the Metal checks"
    assert text.splitlines()[1] == "mine.metal:3: race: a race [thread 5 of threadgroup (1, 0, 0)]"
    assert text.splitlines()[-1] == "and 10 more"


def test_unknown_kernels(toolchain: Toolchain):
    library = compile_shader(ADD)
    assert dir(library) == ["add"]
    assert not hasattr(library, "subtract")
    with pytest.raises(RuntimeError, match="Failed to create function state object for: subtract"):
        _ = library.subtract
    assert issubclass(UnknownKernel, AttributeError)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("out[i] = a[i] + nothing[i];", "nothing"),
        ("out[i] = a[i] + ;", "expected expression"),
        ("out.x = 1;", "out"),
    ],
)
def test_compile_errors_name_the_users_line(line: str, said: str, toolchain: Toolchain):
    source = ADD.replace("out[i] = a[i] + b[i];", line)
    with pytest.raises(MetalCompileError) as caught:
        compile_shader(source, file="mine.metal")
    error = caught.value.diagnostics[0]
    assert (error.place.file, error.place.line) == ("mine.metal", 6)
    assert error.text.strip() == line
    assert said in str(caught.value)
    assert "kw_" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    ["#include <nothing_here>\n", "#error stop\n", "#if 1\n", "kernel void broken(device float* x {\n", "}\n", "$\n"],
)
def test_broken_sources_are_compile_errors(source: str, toolchain: Toolchain):
    with pytest.raises(MetalCompileError) as caught:
        compile_shader(source)
    assert caught.value.diagnostics[0].place.file == "program.metal"
    assert caught.value.diagnostics[0].place.line >= 1


def test_errors_in_an_include_name_its_file(tmp_path, toolchain: Toolchain):
    (tmp_path / "part.h").write_text("inline float twice(float x) {\n  return missing * x;\n}\n")
    with pytest.raises(MetalCompileError) as caught:
        compile_shader('#include "part.h"\n' + ADD, includes=[tmp_path])
    first = caught.value.diagnostics[0]
    assert first.place.file.endswith("part.h")
    assert first.place.line == 2
    assert first.text.strip() == "return missing * x;"
