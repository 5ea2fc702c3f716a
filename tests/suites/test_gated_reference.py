"""The reference's process passes the gate itself, and only where it is about to use the device."""

import os
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from suite_kit import RELU

from kernelwright.judge import wire
from kernelwright.judge.gate import DeviceGate
from kernelwright.judge.reference.client import Reference
from kernelwright.judge.reference.server import Server
from kernelwright.schema import Problem


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Reference, DeviceGate]]:
    folder = tmp_path_factory.mktemp("gate")
    gate = DeviceGate(folder)
    reference = Reference("cpu", gate, str(folder))
    problem = Problem(name="relu", format="kernelbench", source=RELU)
    reference.open(problem, seed=1, cache=str(folder / "cache"), draw_bytes=1 << 30)
    yield reference, gate
    reference.close()


def test_whoever_is_inside_is_answered(opened: tuple[Reference, DeviceGate]) -> None:
    """It would else wait for the judge, which waits for it."""
    reference, gate = opened
    for enter in (gate.alone, gate.shared):
        with enter():
            _, fds = reference.request("plan", seed=1, kind="natural", kept=1 << 20, timeout=60)
            os.close(fds[0])
            reference.ask("begin", timeout=60)


def test_waiting_for_the_device_is_not_its_time(opened: tuple[Reference, DeviceGate]) -> None:
    reference, gate = opened
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with gate.alone():
            inside.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(60)
    reference.ask("begin", timeout=60)  # needs no device: it is answered
    assert reference.ask("accuracy", timeout=60)["accuracy"]
    threading.Timer(1.5, done.set).start()
    began = time.monotonic()
    reply, fds = reference.request("draw", seed=77, kind="natural", lend=False, timeout=1.0)
    assert time.monotonic() - began >= 1.4, "it drew on a device that another one had alone"
    assert reply["seconds"] < time.monotonic() - began - 1.0
    os.close(fds[0])
    holder.join()


def test_what_is_unreadable_is_said_without_the_device(opened: tuple[Reference, DeviceGate], tmp_path: Path) -> None:
    reference, gate = opened
    done, said = threading.Event(), []
    fd = wire.pack([torch.ones(2)])

    def ask() -> None:
        said.append(reference.ask("check", (fd,), seed=1, kind="natural", lent=False, timeout=60))
        done.set()

    with gate.alone():
        thread = threading.Thread(target=ask)
        thread.start()
        assert done.wait(60)
    thread.join()
    os.close(fd)
    assert "broken" in said[0]


HUNGRY = """\
import torch

calls, drawn = [], []


class Model(torch.nn.Module):
    def forward(self, x):
        calls.append(1)
        if len(calls) == CALL:
            raise torch.OutOfMemoryError("others have it")
        return torch.relu(x)


def get_inputs():
    drawn.append(1)
    if CALL == 0 and len(drawn) == 1:
        raise torch.OutOfMemoryError("others have it")
    return [torch.rand(16, 16) - 0.5]


def get_init_inputs():
    return []
"""


@pytest.mark.parametrize("call", [0, 1, 2])
def test_who_lacks_memory_beside_others_tries_again_alone(tmp_path: Path, call: int) -> None:
    """For the inputs, for eager's answer, and in float64: no other yardstick because others have the memory."""
    gate = DeviceGate(tmp_path)
    reference = Reference("cpu", gate, str(tmp_path))
    source = HUNGRY.replace("CALL", str(call))
    reference.open(
        Problem(name="hungry", format="kernelbench", source=source),
        seed=1,
        cache=str(tmp_path / "cache"),
        draw_bytes=1 << 20,
    )
    answers: list[dict[str, object]] = []

    def plan() -> None:
        reply, fds = reference.request("plan", seed=1, kind="natural", kept=1 << 20, timeout=60)
        os.close(fds[0])
        answers.append(reply)

    asking = threading.Thread(target=plan)
    with gate.shared():
        asking.start()
        time.sleep(1.0)
        assert not answers, "it did not wait until it was alone"
    asking.join(60)
    reference.close()
    assert answers[0]["yardstick"] == "float64"


def full_device() -> wire.WireError:
    try:
        raise wire.WireError("unreadable tensor file") from torch.OutOfMemoryError("full")
    except wire.WireError as error:
        return error


def test_nobody_is_blamed_for_memory_that_others_may_have(tmp_path: Path) -> None:
    """A candidate whose outputs do not fit beside others is asked about again, and is at fault when alone."""
    server = Server.__new__(Server)
    server.gate = DeviceGate(tmp_path)
    with server.gate.shared(), pytest.raises(wire.WireError):
        server._broken(full_device())
    with server.gate.shared():
        assert server._broken(wire.WireError("cut short"))[0] == {"broken": "cut short"}
    with server.gate.alone():
        assert server._broken(full_device())[0] == {"broken": "unreadable tensor file"}
