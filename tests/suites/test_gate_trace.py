"""``benchmarks/gate_trace.py``: what real processes do at a gate is written down, and added up rightly."""

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = BENCHMARKS / "gate_trace.py"
# Comes in, says so, and leaves when it is told to. The way in is one of kernelwright's own functions.
VISITS = """
import sys
from contextlib import nullcontext
from kernelwright.judge.first_call import FirstCall
from kernelwright.judge.gate import DeviceGate

call = FirstCall(DeviceGate(sys.argv[1]).visitor(), compiles=False)
with call, call._benchmarking() if sys.argv[2] == "alone" else nullcontext():
    print("inside", flush=True)
    input()
call._visitor.close()
"""


@pytest.fixture
def arithmetic(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gate_trace_tables

    return gate_trace_tables


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A folder in which the script would have begun a trace."""
    shutil.copytree(BENCHMARKS / "gate_tracing", tmp_path / "trace" / "hook")
    return tmp_path / "trace"


def start(trace: Path, code: str, *arguments: object) -> subprocess.Popen[str]:
    places = filter(None, (str(trace / "hook"), os.environ.get("PYTHONPATH")))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
    )  # fmt: skip


def ran(trace: Path, code: str, *arguments: object) -> list[dict[str, Any]]:
    """Stays of a process that ends by itself, in the order of their ends."""
    process = start(trace, code, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and not errors, errors
    return stays(trace)


def stays(trace: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in trace.glob("stays-*.jsonl"):
        here = [json.loads(line) for line in path.read_text().splitlines()]
        assert all(path.name == f"stays-{stay['pid']}.jsonl" for stay in here)
        found += here
    return sorted(found, key=lambda stay: stay["left"])


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waits(gate: Path) -> bool:
    """Whether somebody stands in the turnstile."""
    with (gate / "turnstile").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_two_processes_of_which_one_waits(trace: Path, tmp_path: Path):
    gate = tmp_path / "gate"
    first = start(trace, VISITS, gate, "alone")
    assert said(first) == "inside"
    second = start(trace, VISITS, gate, "shared")
    until(lambda: waits(gate))
    told = time.monotonic()
    first.communicate("go\n", timeout=60)
    assert said(second) == "inside"
    second.communicate("go\n", timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)

    before, alone, shared = stays(trace)
    assert (before["pid"], before["way"]) == (first.pid, "shared")
    assert (alone["pid"], alone["way"], alone["caller"]) == (first.pid, "alone", "first_call.py:_benchmarking")
    assert (shared["pid"], shared["way"], shared["caller"]) == (second.pid, "shared", "first_call.py:__enter__")
    assert alone["asked"] <= alone["entered"] < shared["asked"] < told < alone["left"]
    assert alone["left"] <= shared["entered"] < shared["left"]
    room = (gate / "room").stat()
    assert {stay["gate"] for stay in (alone, shared)} == {f"{room.st_dev}:{room.st_ino}"}
    assert {stay["role"] for stay in (alone, shared)} == {"other"}


def test_who_lingers_leaves_later_or_stays_for_somebody_else(trace: Path, tmp_path: Path):
    found = ran(
        trace,
        """
import os, sys, time
from kernelwright.judge import gate

visitor = gate.DeviceGate(sys.argv[1]).visitor()
written = lambda: os.path.exists(f"{sys.argv[2]}/stays-{os.getpid()}.jsonl")
gate.LINGER_SECONDS = 600
visitor.enter("shared")
visitor.leave_soon()
assert visitor.holds == "shared" and not written()
visitor.enter("shared")
assert written()
gate.LINGER_SECONDS = 0.01
visitor.leave_soon()
visitor._timer.join()
assert visitor.holds is None
visitor.enter("alone")
visitor.share()
visitor.close()
""",
        tmp_path / "gate",
        trace,
    )
    assert [stay["way"] for stay in found] == ["shared", "shared", "alone", "shared"]
    assert found[0]["left"] == found[1]["entered"]
    assert all(before["left"] <= after["entered"] for before, after in pairwise(found))
    assert found[2]["left"] <= found[3]["asked"]


def test_forks_write_to_files_of_their_own(trace: Path, tmp_path: Path):
    found = ran(
        trace,
        """
import os, sys
from kernelwright.judge.gate import DeviceGate

gate = DeviceGate(sys.argv[1])
child = os.fork()
with gate.alone():
    pass
if not child:
    os._exit(0)
os.waitpid(child, 0)
""",
        tmp_path / "gate",
    )
    assert len({stay["pid"] for stay in found}) == 2


def test_requests_are_named_and_roles_known(trace: Path, tmp_path: Path):
    """The role comes from the module that Python was started with; forks have it too."""
    (stay,) = ran(
        trace,
        """
import sys
from kernelwright.judge.gate import DeviceGate
from kernelwright.judge.nursery import Worker

class Asked(Worker):
    def __init__(self, gate):
        self._gate, self._waiting = gate, None

    def _counted(self, *_):
        return {}, []

Asked(DeviceGate(sys.argv[1])).ask("warm")
""",
        tmp_path / "gate",
        "kernelwright.judge.worker.zygote",
    )
    assert (stay["role"], stay["caller"]) == ("candidate", "nursery.py:request(warm)")


def test_where_nothing_can_be_written_the_program_goes_on(trace: Path, tmp_path: Path):
    code = "import shutil, sys\nfrom kernelwright.judge.gate import DeviceGate\nshutil.rmtree(sys.argv[2])\n"
    assert ran(trace, code + "with DeviceGate(sys.argv[1]).alone():\n    pass", tmp_path / "gate", trace) == []


def test_overlapping_stays(arithmetic: ModuleType):
    def stay(role: str, way: str, asked: float, entered: float, left: float, gate: str = "1:1") -> Any:
        return arithmetic.Stay(gate, 1, role, "measure", way, asked, entered, left)

    here = [
        stay("a", "shared", 10.0, 10.0, 14.0),
        stay("b", "shared", 11.0, 11.0, 16.0),  # two seconds longer than the first one
        stay("c", "alone", 12.0, 16.0, 20.0),  # waits for both
        stay("a", "shared", 15.0, 20.0, 21.0),  # one second beside whoever waits already
        stay("a", "alone", 22.0, 22.0, 30.0),
    ]
    assert arithmetic.shares(here) == arithmetic.Shares(span=20.0, alone=12.0, shared=7.0, free=1.0, waiting=8.0)
    rows = {(row.role, row.way): row for row in arithmetic.rows(here)}
    assert list(rows) == [("b", "shared"), ("c", "alone"), ("a", "shared"), ("a", "alone")]
    kept_waiting = [(row.stays, row.held, row.longest, row.others_waited, row.waited) for row in rows.values()]
    assert kept_waiting == [(1, 5, 5, 4, 0), (1, 4, 4, 4, 4), (2, 5, 4, 2, 5), (1, 8, 8, 0, 0)]

    text = arithmetic.tables([*here, stay("a", "alone", 1.0, 2.0, 3.0, gate="1:2")])
    assert text.index("Gate 1 of 2 (1:2): 1 stays") < text.index("Gate 2 of 2 (1:1): 5 stays")
    assert arithmetic.WITHOUT_CANDIDATES in text
    assert arithmetic.WITHOUT_CANDIDATES not in arithmetic.tables([stay("candidate", "alone", 0.0, 0.0, 1.0)])


def test_covered_seconds_are_those_that_counting_finds(arithmetic: ModuleType):
    draw = random.Random(0)
    for _ in range(50):
        intervals = [(began, began + draw.randrange(5)) for began in (draw.randrange(30) for _ in range(8))]
        ticks = {tick for began, ended in intervals for tick in range(began, ended)}
        covered = arithmetic.Covered(intervals)
        assert covered.seconds == len(ticks)
        assert all(covered.within(a, b) == len(ticks & set(range(a, b))) for a in range(32) for b in range(a, 36))


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_exit_code_is_the_commands(tmp_path: Path):
    done = script("--out", tmp_path / "trace", "--", "--version")
    assert done.returncode == 0
    assert "nobody passed a gate" in done.stdout
    assert script("--out", tmp_path / "again", "--", "no-such-command").returncode == 2
    again = script("--out", tmp_path / "trace", "--", "--version")
    assert again.returncode == 2 and "is not empty" in again.stderr


def test_an_earlier_trace_is_read(arithmetic: ModuleType, tmp_path: Path):
    stay = arithmetic.Stay("1:1", 7, "reference", "server.py:on_plan", "shared", 0.5, 1.0, 3.0)
    (tmp_path / "stays-7.jsonl").write_text(json.dumps(asdict(stay)) + '\n{"gate": "1:1", "pi')
    assert arithmetic.read(tmp_path) == [stay]
    done = script("--read", tmp_path)
    assert done.returncode == 0
    assert "server.py:on_plan" in done.stdout
