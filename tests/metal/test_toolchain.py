"""Which compiler is taken, and what is said when there is none."""

from pathlib import Path

import pytest

from kernelwright.metal import toolchain as room
from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.target import Target
from kernelwright.metal.toolchain import Clang, CompilerFailed, Toolchain

WHEEL = Toolchain(("zig", "clang"), ("zig", "ld.lld"), "ziglang 0.15.2")


def chosen(
    programs: dict[str, tuple[int, ...] | Clang],
    wheel: Toolchain | None = WHEEL,
    oldest: int = room.OLDEST_CLANG,
) -> Toolchain:
    """The choice on a machine with these programs on its path; linkers have no version."""

    def version(path: str) -> Clang | None:
        found = programs[Path(path).name]
        return found if isinstance(found, Clang) else Clang(found) if found else None

    return room.choose(lambda name: f"/bin/{name}" if name in programs else None, version, lambda: wheel, oldest)


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Target:
    """This machine is a Mac with one of Apple's processors."""
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    return Target("darwin", "aarch64")


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
    ids=["nothing", "too old", "broken", "no linker"],
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
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ToolchainMissing, match="Linux and macOS only, not on win32"):
        chosen({"clang": (17, 0, 6), "ld.lld": ()})


def test_on_a_mac_xcodes_clang_compiles_and_links(mac: Target):
    apple = Clang((15, 0, 0), apple=True)
    expected = Toolchain(("/bin/clang",), ("/bin/clang",), "Apple clang 15.0.0", target=mac)
    assert chosen({"clang": apple}) == expected


def test_apples_numbers_are_their_own(mac: Target):
    assert chosen({"clang": Clang((14, 0, 3), apple=True)}) == WHEEL
    assert chosen({"clang": Clang((15, 0, 7))}) == WHEEL
    assert chosen({"clang": Clang((16, 0, 0))}).name == "clang 16.0.0"


def test_a_mac_without_a_compiler_is_told_what_to_install(mac: Target):
    with pytest.raises(
        ToolchainMissing, match=r"xcode-select --install.*pip install 'kernelwright\[metal\]'"
    ) as caught:
        chosen({}, wheel=None)
    assert len(str(caught.value).splitlines()) == 1


def test_macs_with_intels_processors_are_refused(mac: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(ToolchainMissing, match="Intel"):
        chosen({"clang": Clang((16, 0, 0), apple=True)})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23.5.0", "Apple clang 15.0.0"),
        ("Debian clang version 16.0.6 (15~deb12u1)\nTarget: x86_64-pc-linux-gnu", "clang 16.0.6"),
        ("gcc (Debian 12.2.0-14) 12.2.0", "None"),
    ],
    ids=["Apple's", "Debian's", "no clang"],
)
def test_a_clang_is_asked_for_its_version(said: str, expected: str, tmp_path: Path):
    program = tmp_path / "clang"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    assert str(room._clang_version(str(program))) == expected


def test_the_wheel_is_called_without_another_python(toolchain: Toolchain):
    assert all("python" not in Path(command[0]).name for command in (toolchain.clang, toolchain.linker))
    assert "zig c++" not in " ".join(toolchain.clang)


def test_what_a_compiler_says_is_kept(toolchain: Toolchain):
    with pytest.raises(CompilerFailed, match="unknown type name 'nonsense'") as caught:
        room.run([*toolchain.clang, "-x", "c", "-fsyntax-only", "-"], "nonsense x;")
    assert "<stdin>:1:1" in caught.value.stderr


def test_preprocessed_text_comes_back(toolchain: Toolchain):
    assert "int two = 2;" in room.run([*toolchain.clang, "-E", "-x", "c", "-"], "#define TWO 2\nint two = TWO;")


def test_the_wheel_links_for_a_mac_with_its_own_linker(tmp_path: Path):
    (tmp_path / "lib" / "libc" / "include" / "any-darwin-any").mkdir(parents=True)
    found = room.wheel_toolchain(tmp_path, "ziglang 0.15.2", Target("darwin", "aarch64"))
    assert found.clang == (f"{tmp_path}/zig", "clang")
    assert found.linker == (f"{tmp_path}/zig", "cc", "-O2", "-fno-sanitize=undefined")
    assert found.system_headers == ("-nostdinc", "-isystem", f"{tmp_path}/lib/libc/include/any-darwin-any")
