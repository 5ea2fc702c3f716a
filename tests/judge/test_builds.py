"""Compiled parts of candidates: built once for one text, by nobody's leave but the judge's, and seen by no other."""

import os
import shutil
import time
from pathlib import Path

import pytest

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings, builds
from kernelwright.judge import session as judge_session
from kernelwright.judge.files import anonymous_file, write_all
from kernelwright.judge.isolation import NoSandbox, choose, seatbelt
from kernelwright.judge.worker import built
from kernelwright.schema import Candidate, Problem, Status, Target

PROBLEM = """
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def get_inputs():
    return [torch.randn(100)]


def get_init_inputs():
    return []
"""
CANDIDATE = '''
import ctypes
import os

import torch
from torch.utils.cpp_extension import load_inline

SOURCE = """
extern "C" void twice(const float *x, float *y, long n) { for (long i = 0; i < n; i++) y[i] = 2 * x[i]; }
"""
load_inline("twice", cpp_sources=SOURCE, no_implicit_headers=True, is_python_module=False)
twice = ctypes.CDLL(os.path.join(os.environ["TORCH_EXTENSIONS_DIR"], "twice", "twice.so")).twice


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty_like(x)
        twice(ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr()), ctypes.c_long(x.numel()))
        return y
'''
PLANTS = (
    CANDIDATE
    + """

path = os.path.join(os.environ["TORCH_EXTENSIONS_DIR"], "twice", "twice.so")
os.remove(path)
open(path, "w").write("planted")
"""
)
COMPILER = """#!/bin/sh
case " $* " in *" -c "*)
    if [ -e "$(dirname "$0")/closed" ]; then echo "main.cpp:1:1: error: the compiler is closed" >&2; exit 1; fi
esac
exec c++ "$@"
"""

needs_compiler = pytest.mark.skipif(
    not (shutil.which("c++") and shutil.which("ninja")), reason="c++ and ninja are needed"
)


@pytest.fixture(params=["isolated", pytest.param("not isolated", marks=pytest.mark.thorough)])
def sandbox(request, monkeypatch):
    chosen = choose() if request.param == "isolated" else NoSandbox()
    if request.param == "isolated" and not chosen.namespaces:
        pytest.skip("cells of one place are needed")
    monkeypatch.setattr(judge_session, "choose", lambda: chosen)
    return chosen


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A compiler that can be closed: nothing compiles after that. A sandbox shows it for being on Python's path."""
    place = tmp_path / "compiler"
    place.mkdir()
    program = place / "c++-that-can-be-closed"
    program.write_text(COMPILER)
    program.chmod(0o755)
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(place)))))
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    return place


def judge(*sources, trusted=True):
    """In a session of their own."""
    problem = Problem(name="twice", format="kernelbench", source=PROBLEM)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        candidates = [Candidate(source=source, author="test", target=Target.CPP) for source in sources]
        return [session.judge(candidate, trusted=trusted) for candidate in candidates]


def entries():
    return [path for path in builds.folder().glob("*/*") if path.is_file()]


@needs_compiler
def test_the_same_text_is_built_once_and_another_text_sees_nothing_of_it(sandbox, compiler):
    (first,) = judge(CANDIDATE)
    assert first.status is Status.CORRECT, first.feedback
    (entry,) = entries()
    assert entry.parent.name == first.candidate
    (compiler / "closed").touch()
    again, other = judge(CANDIDATE, CANDIDATE + "\n# another text\n")
    assert again.status is Status.CORRECT, again.feedback
    assert other.status is Status.COMPILE_FAILED and "the compiler is closed" in other.feedback
    assert entries() == [entry]
    assert not list(builds.folder().glob("live/*"))


@pytest.mark.slow
@needs_compiler
def test_who_is_not_vouched_for_gets_nothing_and_leaves_nothing(sandbox, compiler):
    """Not even to itself: a binary that it planted is gone with its process."""
    assert judge(CANDIDATE)[0].ok
    (entry,) = entries()
    planted, again = judge(PLANTS, PLANTS, trusted=False)
    assert planted.status is again.status is Status.CORRECT, again.feedback
    (compiler / "closed").touch()
    (stranger,) = judge(CANDIDATE, trusted=False)
    assert stranger.status is Status.COMPILE_FAILED
    assert entries() == [entry]


@pytest.mark.slow
@needs_compiler
def test_what_is_wrong_is_not_kept_and_what_is_damaged_is_built_again(compiler, monkeypatch):
    monkeypatch.setattr(judge_session, "choose", NoSandbox)
    wrong, right = judge(CANDIDATE.replace("2 * x[i]", "3 * x[i]"), CANDIDATE)
    assert wrong.status is Status.MISMATCH and right.ok
    (entry,) = entries()
    assert entry.parent.name == right.candidate
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert judge(CANDIDATE)[0].ok
    copy = builds._checked_copy(entry)
    assert copy is not None
    os.close(copy)


def fill(directory: Path) -> None:
    (directory / "extensions" / "k").mkdir(parents=True)
    (directory / "triton").mkdir()
    (directory / "extensions" / "k" / "k.so").write_bytes(b"machine code")
    (directory / "extensions" / "k" / "k.so").chmod(0o755)
    os.utime(directory / "extensions" / "k" / "k.so", ns=(1_700_000_000_123_456_789,) * 2)
    (directory / "extensions" / "k" / ".ninja_log").write_text("log")
    (directory / "extensions" / "k" / "lock").touch()
    (directory / "triton" / "outside").symlink_to("/etc/passwd")
    (directory / "elsewhere.txt").write_text("not built")


def test_files_come_back_as_they_were(tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    fill(there)
    fd = built.pack(there)
    assert fd is not None
    built.unpack(fd, back)
    os.close(fd)
    found = {path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file()}
    assert found == {"extensions/k/k.so", "extensions/k/.ninja_log"}
    program = back / "extensions" / "k" / "k.so"
    assert program.read_bytes() == b"machine code" and program.stat().st_mode & 0o777 == 0o755
    assert program.stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert built.state(back) == built.state(there)
    assert built.pack(tmp_path / "empty") is None


def test_too_much_is_not_packed(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setattr(built, "MOST_BYTES", 5)
    assert built.pack(tmp_path) is None
    monkeypatch.setattr(built, "MOST_BYTES", 100)
    monkeypatch.setattr(built, "LARGEST_FILE", 5)
    fd = built.pack(tmp_path)
    assert fd is not None
    built.unpack(fd, tmp_path / "back")
    os.close(fd)
    assert not (tmp_path / "back" / "extensions" / "k" / "k.so").exists()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[["../x", 420, 1, 1]]', "no place for builds"),
        ('[["/etc/x", 420, 1, 1]]', "no place for builds"),
        ('[["extensions/../../x", 420, 1, 1]]', "no place for builds"),
        ('[["extensions/x", 420, 1, -1]]', "impossible sizes"),
        ('[["extensions/x", 420, 1, 9]]', "ends early"),
        ('[["extensions/x"]]', "broken"),
        ("{", "broken"),
        ("7", "broken"),
    ],
)
def test_what_is_unpacked_stays_in_its_folders(table, said, tmp_path):
    fd = anonymous_file("builds")
    head = table.encode()
    write_all(fd, built.MAGIC + len(head).to_bytes(8, "little") + head + b"x", 0)
    with pytest.raises(built.Unreadable, match=said):
        built.unpack(fd, tmp_path)
    os.close(fd)
    assert not [path for path in tmp_path.rglob("x") if path.stat().st_size]


def file_of(content: bytes) -> int:
    fd = anonymous_file("builds")
    write_all(fd, content, 0)
    return fd


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    return builds.folder()


def test_an_entry_is_whole_or_not_there_and_its_copy_cannot_be_written_to(place):
    fd = file_of(b"content")
    builds._write(place / "digest" / "key", fd)
    copy = builds._checked_copy(place / "digest" / "key")
    assert copy is not None and os.pread(copy, 100, 0) == b"content"
    if hasattr(os, "memfd_create"):
        with pytest.raises(PermissionError):
            os.pwrite(copy, b"planted", 0)
    assert [path.name for path in (place / "digest").iterdir()] == ["key"]
    (place / "digest" / "key").write_bytes(b"half an entry")
    assert builds._checked_copy(place / "digest" / "key") is None
    assert not (place / "digest" / "key").exists()
    for descriptor in (fd, copy):
        os.close(descriptor)


def test_only_plain_files_of_a_possible_size_are_taken(place, monkeypatch):
    read_end, write_end = os.pipe()
    empty = file_of(b"")
    for fd in (read_end, empty):
        builds._write(place / "digest" / "key", fd)
    monkeypatch.setattr(built, "MOST_BYTES", 2 - builds._CHUNK)
    large = file_of(b"abc")
    builds._write(place / "digest" / "key", large)
    assert not (place / "digest").exists()
    for fd in (read_end, write_end, empty, large):
        os.close(fd)


def test_what_was_used_longest_ago_goes_first_and_leavings_of_crashes_go(place):
    now = time.time()
    for age, name in enumerate(("new", "used", "old", "oldest")):
        path = place / name / "key"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (now - age, now - age))
    crashed = place / "new" / f"{builds._UNFINISHED}abc"
    crashed.write_bytes(b"x")
    (place / "live" / "of-a-crash" / "extensions").mkdir(parents=True)
    builds._trim(place, most=400)
    assert crashed.exists() and len(entries()) == 5, "a file this young is being written"
    long_ago = now - 2 * builds.STALE_SECONDS
    os.utime(crashed, (long_ago, long_ago))
    os.utime(place / "live" / "of-a-crash", (long_ago, long_ago))
    builds._trim(place, most=399)
    assert not crashed.exists() and not (place / "live" / "of-a-crash").exists()
    assert sorted(path.parent.name for path in entries()) == ["new", "used"]
    assert not (place / "oldest").exists()


def test_a_place_to_build_in_belongs_to_one_process_at_a_time(place):
    key = builds.machine_key("cpu", "a device", NoSandbox())
    first = builds.kept_builds("digest", key, NoSandbox())
    assert first is not None and not first.found
    (message, fds) = first.handed_over()
    directory = Path(message["builds"]["directory"])
    assert directory.is_dir() and fds == () and directory.stat().st_mode & 0o777 == 0o700
    assert builds.kept_builds("digest", key, NoSandbox()) is None
    (directory / "extensions").mkdir()
    first.close()
    assert not directory.exists()
    second = builds.kept_builds("digest", key, NoSandbox())
    assert second is not None
    second.close()


def test_where_nothing_can_be_written_nothing_is_kept(place, monkeypatch):
    monkeypatch.setenv("KERNELWRIGHT_HOME", "/proc/nowhere")
    assert builds.kept_builds("digest", "key", NoSandbox()) is None
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(place / "with a space"))
    assert builds.kept_builds("digest", "key", NoSandbox()) is None
    assert builds.kept_builds("digest", "key", seatbelt.Seatbelt()) is None


def test_another_machine_gets_another_key(monkeypatch):
    def key(platform="cpu", device="a"):
        return builds.machine_key(platform, device, NoSandbox())

    keys = [key(), key(device="b"), key(platform="cuda")]
    assert keys[0] == key()
    monkeypatch.setattr(builds.cuda_toolkit, "home", lambda given=None: Path("/opt/another"))
    keys.append(key())
    monkeypatch.setattr(builds, "_package", lambda name: "another version")
    keys.append(key())
    assert len(set(keys)) == 5
