"""Memory of a shared device: who does not fit waits, whoever holds some ends, and nobody waits for ever."""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from kernelwright.judge import memory
from kernelwright.judge.memory import Memory


@pytest.fixture
def device(tmp_path: Path) -> Memory:
    return Memory(tmp_path, 1000)


def _hold(folder: Path, nbytes: int, held: "multiprocessing.synchronize.Event") -> None:
    Memory(folder, 1000).take(nbytes)
    held.set()
    time.sleep(60)


def test_what_fits_does_not_wait(device: Memory) -> None:
    tickets = [device.take(n) for n in (400, 500)]
    assert sorted(device._held("taken")) == sorted(path.name for path in device._folder.glob("taken-*"))
    assert not list(device._folder.glob("waiting-*"))
    for ticket in tickets:
        ticket.close()
    assert not list(device._folder.glob("taken-*"))


def test_more_than_there_is_goes_alone(device: Memory) -> None:
    ticket = device.take(10**9)
    later: list[float] = []
    thread = threading.Thread(target=lambda: later.append((device.take(1), time.monotonic())[1]))
    thread.start()
    time.sleep(0.6)
    assert not later
    freed = time.monotonic()
    ticket.close()
    thread.join(10)
    assert later[0] >= freed


def test_a_holder_that_is_killed_lets_go(tmp_path: Path, device: Memory) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, 900, held))
    process.start()
    assert held.wait(60)
    assert not device._free(100, time.monotonic())
    process.kill()
    process.join()
    device.take(900).close()


def test_who_has_waited_long_goes_first(device: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PATIENCE", 0.5)
    first = device.take(500)
    order: list[str] = []

    def take(name: str, nbytes: int) -> None:
        ticket = device.take(nbytes)
        order.append(name)
        ticket.close()

    large = threading.Thread(target=take, args=("large", 900))
    large.start()
    time.sleep(0.2)
    take("small", 100)  # there is room, and the large one has not waited long
    time.sleep(0.6)
    small = threading.Thread(target=take, args=("late", 100))
    small.start()
    time.sleep(0.5)
    assert order == ["small"]
    first.close()
    large.join(10)
    small.join(10)
    assert order == ["small", "large", "late"]
