"""The gate, with real processes: who is alone is alone, nobody waits for ever, a killed process lets go."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_kit import RELU

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.gate import DeviceGate, OpenGate, Use, gate_at, seconds_in_use, uses
from kernelwright.judge.nursery import Worker
from kernelwright.schema import Candidate, Problem

# Comes in again and again and writes down what it sees of the others through a file that all of them append to. Those
# that share are inside for the first time when all of them begin.
VISITOR = """
import os, sys, time
from kernelwright.judge.gate import DeviceGate

gate, how, visits = DeviceGate(sys.argv[1]), sys.argv[2], int(sys.argv[3])
book = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND)


def until_all_begin():
    print("ready", flush=True)
    while not os.path.exists(sys.argv[5]):
        time.sleep(0.001)


if how == "alone":
    until_all_begin()
for visit in range(visits):
    with getattr(gate, how)():
        os.write(book, f"+ {how} {os.getpid()}\\n".encode())
        if how == "shared" and not visit:
            until_all_begin()
        time.sleep(0.002)
        os.write(book, f"- {how} {os.getpid()}\\n".encode())
"""
# Comes in, says so, and stays until it is killed.
STAYS = """
import sys, time
from kernelwright.judge.gate import DeviceGate

with getattr(DeviceGate(sys.argv[1]), sys.argv[2])():
    print("inside", flush=True)
    time.sleep(600)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    out: IO[str] | None = process.stdout
    assert out is not None
    return out.readline().strip()


def turnstile_is_open(folder: Path) -> bool:
    with (folder / "turnstile").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_who_is_alone_is_alone(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.touch()
    kinds = ("alone", "shared", "alone", "shared", "shared")
    visitors = [start(VISITOR, tmp_path / "gate", how, 40, book, tmp_path / "go") for how in kinds]
    assert [said(visitor) for visitor in visitors] == ["ready"] * 5
    (tmp_path / "go").touch()
    for visitor in visitors:
        assert visitor.wait(60) == 0
        visitor.communicate()
    inside: dict[str, str] = {}
    most = 0
    for line in book.read_text().splitlines():
        sign, how, pid = line.split()
        if sign == "-":
            del inside[pid]
            continue
        assert not inside or (how == "shared" and "alone" not in inside.values())
        inside[pid] = how
        most = max(most, len(inside))
    assert not inside
    assert most == 3, "those that share were never inside together"


def test_sharers_cannot_keep_out_who_wants_to_be_alone(tmp_path: Path) -> None:
    """Sharers that overlap leave no moment in which nobody is inside."""
    folder, stop, visits = tmp_path / "gate", threading.Event(), [0, 0, 0]

    def share(k: int) -> None:
        gate = DeviceGate(folder)
        while not stop.is_set():
            with gate.shared():
                visits[k] += 1
                time.sleep(0.02)

    sharers = [threading.Thread(target=share, args=(k,)) for k in range(3)]
    for thread in sharers:
        thread.start()
    try:
        visitor = start(VISITOR, folder, "alone", 5, os.devnull, os.devnull)
        assert visitor.wait(60) == 0
        visitor.communicate()
    finally:
        stop.set()
        for thread in sharers:
            thread.join()
    assert min(visits) > 5, "those that share came in between"


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_a_killed_process_lets_go(tmp_path: Path, how: str) -> None:
    process = start(STAYS, tmp_path, how)
    assert said(process) == "inside"
    came_in = threading.Event()

    def enter() -> None:
        with DeviceGate(tmp_path).alone():
            came_in.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not came_in.wait(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert came_in.wait(30)
    waiting.join()


def test_one_that_is_killed_while_it_waits_closes_nothing(tmp_path: Path) -> None:
    """It holds the turnstile then."""
    with DeviceGate(tmp_path).shared():
        waiting = start(STAYS, tmp_path, "alone")
        while turnstile_is_open(tmp_path):
            time.sleep(0.01)
        waiting.kill()
        assert waiting.communicate()[0] == ""
        sharing = start(STAYS, tmp_path, "shared")
        assert said(sharing) == "inside"
        sharing.kill()
        sharing.communicate()


def test_a_thread_inside_may_ask_again(tmp_path: Path) -> None:
    gate = DeviceGate(tmp_path)
    with gate.alone(), gate.shared(), gate.alone(), gate.shared():
        pass
    with gate.shared(), gate.shared(), gate.alone(), gate.shared():
        pass
    with gate.alone():
        pass


def test_two_that_share_and_both_want_to_be_alone_do_not_wait_for_each_other(tmp_path: Path) -> None:
    both, alone = threading.Barrier(2), []

    def work() -> None:
        gate = DeviceGate(tmp_path)
        with gate.shared():
            both.wait(30)
            with gate.alone():
                alone.append("+")
                time.sleep(0.02)
                alone.append("-")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert alone == ["+", "-", "+", "-"]


def test_waiting_is_counted_and_time_alone_is_written_down(tmp_path: Path) -> None:
    holds = DeviceGate(tmp_path, journal=False)
    waits = DeviceGate(tmp_path)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with holds.alone():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(30)
    threading.Timer(0.3, leave.set).start()
    with waits.alone():
        time.sleep(0.05)
    thread.join()
    assert waits.waited >= 0.25
    [(began, ended)] = uses(tmp_path, os.getpid())
    assert ended - began >= 0.05
    waits.used(2.0)
    assert len(uses(tmp_path)) == 2
    assert uses(tmp_path, 1) == []


def test_who_is_done_lingers_for_a_moment_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next use of the device follows at once, before that of another one who waits to be alone."""
    monkeypatch.setattr("kernelwright.judge.gate.LINGER_SECONDS", 600.0)
    mine, came_in = DeviceGate(tmp_path), threading.Event()
    with mine.shared():
        pass

    def enter() -> None:
        with DeviceGate(tmp_path).alone():
            came_in.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    while turnstile_is_open(tmp_path):
        time.sleep(0.01)
    with mine.shared():
        assert not came_in.is_set()
        monkeypatch.setattr("kernelwright.judge.gate.LONGEST_STAY", 0.0)
    assert came_in.wait(60)
    waiting.join()
    with mine.shared():
        pass
    monkeypatch.setattr("kernelwright.judge.gate.LONGEST_STAY", 600.0)
    with mine.shared():
        pass
    with mine.alone():  # it does not wait for itself
        pass


def test_where_there_is_no_gate_nobody_waits() -> None:
    gate = gate_at(None)
    assert isinstance(gate, OpenGate)
    with gate.alone(), gate_at(None).alone(), gate.shared():
        gate.used(1.0)
    assert gate.waited == 0.0


class Busy(OpenGate):
    """Somebody else has been inside for a long time."""

    seconds = 0.0

    @property
    def waited(self) -> float:
        return self.seconds


class Answers:
    """A channel on which everything is answered at once."""

    def __init__(self) -> None:
        self.patience: list[float] = []

    def send(self, message: dict[str, Any], _fds: tuple[int, ...]) -> None:
        self._number = message["id"]

    def receive(self, patience: float) -> tuple[dict[str, Any], list[int]]:
        self.patience.append(patience)
        return {"id": self._number}, []


def test_waiting_for_the_device_is_not_a_candidate_s_time() -> None:
    gate, channel = Busy(), Answers()
    worker = Worker(cast(Any, None), 1, cast(Any, channel), cast(Any, None), gate)
    worker.extend(10.0)
    gate.seconds = 300.0
    worker.ask("run")
    worker.extend(10.0)
    worker.ask("run")
    first, second = channel.patience
    assert 300.0 < first <= 310.0
    assert 5.0 < second <= 10.0


@pytest.mark.slow
def test_a_judge_at_the_gate(tmp_path: Path) -> None:
    """It judges as always, waits while another one is alone, and says how long it used the device."""
    problem = Problem(name="relu", format="kernelbench", source=RELU)
    candidate = Candidate(source=RELU.replace("Model", "ModelNew"), author="test")
    settings = JudgeSettings(baselines=("eager",), timing_budget=1.0, gate=str(tmp_path))
    alone = start(STAYS, tmp_path, "alone")
    assert said(alone) == "inside"
    threading.Timer(6.0, alone.kill).start()
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        verdict = session.judge(candidate, trusted=True)
    alone.communicate()
    assert verdict.ok, verdict.feedback
    assert verdict.timing is not None
    used = seconds_in_use(uses(tmp_path, os.getpid()))
    assert 0.5 < used < verdict.seconds["total"]
    with DeviceGate(tmp_path).alone():
        pass


intervals = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda x: (float(x[0]), float(sum(x)))))


@given(intervals)
def test_time_in_use_is_the_length_of_the_union(found: list[Use]) -> None:
    seconds = {second for began, ended in found for second in range(int(began), int(ended))}
    assert seconds_in_use(found) == len(seconds)
