"""The command as users start it, with the real judge, on two tiny problems and a tiny budget."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from suite_kit import RELU, ROW_SUMS, checkout

from kernelwright.store import Store
from kernelwright.suites import file

CANDIDATE = """\
import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.clamp(min=0)
"""
OPTIONS = ("--platform", "cpu", "--author", "file:relu.py", "--unsafe", "--baseline", "eager", "--budget", "1,10s",
           "--out", "r.json")  # fmt: skip


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "KERNELWRIGHT_HOME": str(cwd / "home"), "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kernelwright", "suite", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment
    )


def _state(pid: int) -> tuple[str, int]:
    """One letter, and the parent's pid; a process that ended and waits for its parent to look counts as gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return ("X" if fields[0] == "Z" else fields[0]), int(fields[1])


def descendants(pid: int) -> set[int]:
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    children = {child for child in pids if _state(child)[1] == pid}
    return children.union(*map(descendants, children))


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _state(pid)[0] != "X"}


@pytest.fixture
def folder(tmp_path: Path, device_limits: Path) -> Path:
    checkout(tmp_path / "kb", {"level1/1_ReLU.py": RELU, "level2/3_Sums.py": ROW_SUMS})
    (tmp_path / "relu.py").write_text(CANDIDATE)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "limits").symlink_to(device_limits)
    return tmp_path


@pytest.mark.slow
def test_from_problems_to_a_score(folder: Path) -> None:
    done = start(folder, "run", "kernelbench", "--path", "kb", "--levels", "1,2", "--at-once", "2", *OPTIONS, "--json")
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    summary = json.loads(out)
    assert (summary["finished"], summary["not_judged"]) == (2, [])
    results = file.read(folder / "r.json")
    relu, sums = results.problems
    assert [(r.title, [a.status.value for a in r.attempts]) for r in results.problems] == [
        ("level1/1_ReLU", ["correct"]), ("level2/3_Sums", ["mismatch"]),
    ]  # fmt: skip
    assert relu.baselines[0].name == "eager"
    assert relu.baselines[0].ms is not None
    assert relu.attempts[0].speedup.eager is not None
    assert relu.byte_floor_ms is not None
    if relu.winner is not None:  # a clamp may be faster beyond noise
        assert relu.winner.digest == hashlib.sha256(relu.winner.source.encode()).hexdigest()
    assert (sums.winner, sums.stays, sums.failure) == (None, "eager", "")
    assert 0 < relu.device_seconds < relu.wall_seconds
    assert relu.spent is not None
    seconds = relu.spent.model_dump()
    assert min(seconds[name] for name in ("preparing", "building", "timing_baselines", "checking", "timing")) > 0
    assert sum(seconds.values()) < relu.wall_seconds
    assert 0 < summary["device_seconds"] < summary["wall_seconds"]
    with Store.open(folder / "home") as store:
        assert {r.run for r in results.problems} == {run.id for run in store.runs()}
        stored = store.attempts(relu.run)[0]
        assert stored.verdict.speedup == relu.attempts[0].speedup
        assert stored.candidate is not None
        assert stored.candidate.source == CANDIDATE

    scored = start(folder, "score", "r.json", "--json")
    assert json.loads(scored.communicate(timeout=60)[0]) == summary["score"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_killed_in_the_middle_and_resumed(folder: Path) -> None:
    """Nothing of it goes on by itself, one problem is lost, and the file goes on from there."""
    sums = folder / "kb" / "KernelBench" / "level2" / "3_Sums.py"
    sums.write_text(ROW_SUMS.replace("import torch\n", "import time\n\nimport torch\n\ntime.sleep(600)\n", 1))
    arguments = ("run", "kernelbench", "--path", "kb", "--levels", "1,2", *OPTIONS)
    first = start(folder, *arguments)
    assert first.stderr is not None
    line = first.stderr.readline()
    assert line.startswith("[1/2] level1/1_ReLU"), line + first.stderr.read()
    deadline = time.monotonic() + 60
    while not any("reference.server" in _command(pid) for pid in descendants(first.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    under_way = descendants(first.pid)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    deadline = time.monotonic() + 60
    while alive(under_way):
        assert time.monotonic() < deadline, [_command(pid) for pid in alive(under_way)]
        time.sleep(0.05)
    assert [r.name for r in file.read(folder / "r.json").problems] == ["1_ReLU"]
    assert not list(folder.glob("*.part"))

    sums.write_text(ROW_SUMS)
    done = start(folder, *arguments, "--resume", "--json")
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    summary = json.loads(out)
    assert (summary["finished"], summary["skipped"]) == (1, 1)
    assert [r.name for r in file.read(folder / "r.json").problems] == ["1_ReLU", "3_Sums"]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_problem_leaves_the_device_to_the_others(folder: Path) -> None:
    checkout(folder / "kb", {"level1/2_ReLU.py": f"{RELU}# the second\n"})
    running = start(folder, "run", "kernelbench", "--path", "kb", "--levels", "1", "--at-once", "2", *OPTIONS, "--json")
    deadline = time.monotonic() + 120
    while not (children := [p for p in descendants(running.pid) if "suites.child" in _command(p)]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(children[0], signal.SIGKILL)
    out, err = running.communicate(timeout=400)
    assert running.returncode == 0, err
    assert "its process ended early: signal SIGKILL (to be tried again, alone)" in err
    assert json.loads(out)["not_judged"] == []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
