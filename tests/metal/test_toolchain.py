"""Which compiler is taken, and what is said when there is none."""

from pathlib import Path

import pytest

from kernelwright.metal import toolchain as room
from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import CompilerFailed, Toolchain

WHEEL = Toolchain(("zig", "clang"), ("zig", "ld.lld"), "ziglang 0.15.2")


def chosen(
    programs: dict[str, tuple[int, ...]], wheel: Toolchain | None = WHEEL, oldest: int = room.OLDEST_CLANG
) -> Toolchain:
    """The choice on a machine with these programs on its path; linkers have no version."""
    return room.choose(
        lambda name: f"/bin/{name}" if name in programs else None,
        lambda path: programs[Path(path).name] or None,
        lambda: wheel,
        oldest,
    )


def test_a_new_clang_with_a_linker_comes_first():
    found = chosen({"clang": (17, 0, 6), "ld.lld": ()})
    assert found == Toolchain(("/bin/clang",), ("/bin/ld.lld",), "clang 17.0.6")


def test_the_newest_of_several_versions_is_taken_with_its_own_linker():
    found = chosen({"clang-16": (16, 0, 0), "clang-18": (18, 1, 8), "ld.lld-18": (), "ld.lld": ()})
    assert found.clang == ("/bin/clang-18",)
    assert found.linker == ("/bin/ld.lld-18",)


@pytest.mark.parametrize(
    "programs",
    [
        {},
        {"clang": (14, 0, 6), "ld.lld": ()},
        {"clang": (), "ld.lld": ()},
        {"clang": (18, 1, 8)},
    ],
    ids=["nothing", "too old", "Apple's or broken", "no linker"],
)
def test_otherwise_the_wheel(programs: dict[str, tuple[int, ...]]):
    assert chosen(programs) == WHEEL


def test_an_old_clang_does_not_hide_a_new_one():
    assert chosen({"clang": (14, 0, 6), "clang-16": (16, 0, 1), "ld.lld": ()}).name == "clang 16.0.1"


def test_code_for_gpus_needs_a_newer_clang():
    oldest = room.OLDEST_CLANG_FOR_PTX
    assert chosen({"clang": (16, 0, 6), "ld.lld": ()}, oldest=oldest) == WHEEL
    assert chosen({"clang": (oldest, 1, 0), "ld.lld": ()}, oldest=oldest).clang == ("/bin/clang",)


def test_nothing_is_one_line_that_helps():
    with pytest.raises(ToolchainMissing, match=r"pip install 'kernelwright\[metal\]'") as caught:
        chosen({}, wheel=None)
    assert len(str(caught.value).splitlines()) == 1


def test_other_systems_are_told_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room.sys, "platform", "darwin")
    with pytest.raises(ToolchainMissing, match=r"torch\.mps\.compile_shader"):
        chosen({"clang": (17, 0, 6), "ld.lld": ()})


def test_the_wheel_is_called_without_another_python(toolchain: Toolchain):
    assert all("python" not in Path(command[0]).name for command in (toolchain.clang, toolchain.linker))
    assert "zig c++" not in " ".join(toolchain.clang)


def test_what_a_compiler_says_is_kept(toolchain: Toolchain):
    with pytest.raises(CompilerFailed, match="unknown type name 'nonsense'") as caught:
        room.run([*toolchain.clang, "-x", "c", "-fsyntax-only", "-"], "nonsense x;")
    assert "<stdin>:1:1" in caught.value.stderr


def test_preprocessed_text_comes_back(toolchain: Toolchain):
    assert "int two = 2;" in room.run([*toolchain.clang, "-E", "-x", "c", "-"], "#define TWO 2\nint two = TWO;")
