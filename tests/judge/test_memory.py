"""Memory of a shared device: who does not fit waits, whoever holds some ends, and nobody waits for ever."""

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest
import torch

from kernelwright.judge import memory
from kernelwright.judge.gate import OpenGate
from kernelwright.judge.memory import Memory, Sizes, Ticket
from kernelwright.judge.reference import draws


@pytest.fixture
def device(tmp_path: Path) -> Memory:
    return Memory(tmp_path, 1000)


def _hold(folder: Path, nbytes: int, held: "multiprocessing.synchronize.Event") -> None:
    Memory(folder, 1000).take(nbytes)
    held.set()
    time.sleep(60)


def test_what_fits_does_not_wait(device: Memory) -> None:
    tickets = [device.take(n) for n in (400, 400)]
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


class NoRoom(Exception):
    lacks_memory = True


def test_whose_size_cannot_be_found_out_beside_others_is_measured_without_them(tmp_path: Path) -> None:
    """And then gets what it wants, not all there is."""
    device = Memory(tmp_path, 100 << 30)
    other = device.take(70 << 30)
    asked: list[float] = []

    def measure() -> Sizes:
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise NoRoom
        return Sizes(10, 10, 20)

    got: list[Ticket] = []
    thread = threading.Thread(target=lambda: got.append(device.admit(measure)))
    thread.start()
    time.sleep(0.6)
    assert len(asked) <= 1
    freed = time.monotonic()
    other.close()
    thread.join(60)
    assert len(got) == 1 and len(asked) == 2 and asked[1] >= freed
    assert device._held("taken") == [f"taken-{memory.wanted(Sizes(10, 10, 20))}-{os.getpid()}"]


def test_what_is_wrong_with_a_problem_is_no_matter_of_memory(device: Memory) -> None:
    def measure() -> Sizes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        device.admit(measure)
    assert not device._held("taken") and not device._held("waiting")


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


class Full:
    """A platform whose memory is full in float64, and a host that would take the work."""

    name, device = "cuda", "cuda"

    def reset_memory(self, at_least: int = 0) -> None: ...


@pytest.mark.parametrize(("rows", "kind"), [(8, "float64 on cpu"), (1 << 16, "eager: OutOfMemoryError: full")])
def test_what_a_device_lacks_memory_for_is_no_work_for_the_host(
    monkeypatch: pytest.MonkeyPatch, rows: int, kind: str
) -> None:
    """Unless it is small."""
    monkeypatch.setattr(draws, "_HOST_AFTER_MEMORY_BYTES", 1 << 20)
    made = draws.Draws.__new__(draws.Draws)
    made.platform, made.impossible_ways, made._gate = Full(), {}, OpenGate

    def run(_inputs: object, _seed: int, place: str, dtype: object, *, moved: bool) -> str:
        if place == "cuda" and dtype is torch.float64:
            raise torch.OutOfMemoryError("full")
        return f"{place} {moved}"

    monkeypatch.setattr(made, "_run", run)
    answers = made._answers([torch.ones(rows, 4)], torch.ones(rows, 4), 1)
    assert answers.kind == kind


def test_small_problems_want_what_their_processes_take() -> None:
    assert memory.wanted(Sizes(0, 0, 0)) == memory.PROCESSES
    gibibyte = 1 << 30
    elementwise = memory.wanted(Sizes(6 * gibibyte, 6 * gibibyte, 12 * gibibyte))
    assert elementwise == memory.PROCESSES + 78 * gibibyte
    assert memory.wanted(Sizes(6 * gibibyte, 6 * gibibyte, 18 * gibibyte)) == elementwise + 18 * gibibyte
