"""A candidate's process that is vouched for passes the gate itself: others have the device alone while it compiles."""

import os
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from suite_kit import RELU

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings, wire
from kernelwright.judge.findings import Stopped
from kernelwright.judge.gate import DeviceGate
from kernelwright.judge.isolation import choose
from kernelwright.judge.nursery import Nursery, Worker
from kernelwright.schema import Candidate, Problem, Status

# Says what it is doing, and compiles for a while.
COMPILES = """
import os
import time

import torch


def backend(graph, inputs):
    print("compiling", flush=True)
    time.sleep(2)
    print("compiled", flush=True)

    def call(*args):
        print("called", flush=True)
        return graph(*args)

    return call


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.call = torch.compile(torch.relu, backend=backend)

    def forward(self, x):
        if len(x) == 1:
            os._exit(1)
        return self.call(x)
"""
# Lacks memory in the first call.
HUNGRY = RELU.replace("class Model", "class ModelNew").replace(
    "        return",
    """\
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 1:
            raise torch.OutOfMemoryError("others have it")
        return""",
)
# Says which of the gate's files it has open.
LOOKS = RELU.replace("class Model", "class ModelNew").replace(
    "        return",
    """\
        import os
        links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        files = {os.path.basename(os.readlink(link)) for link in links if os.path.lexists(link)}
        if files & {"room", "turnstile"}:
            raise RuntimeError("the gate is open")
        return""",
)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Nursery, DeviceGate]]:
    gate = DeviceGate(tmp_path_factory.mktemp("gate"))
    with Nursery(choose(), "cpu", gate) as made:
        yield made, gate


@pytest.fixture
def worker(nursery: tuple[Nursery, DeviceGate]) -> Generator[Worker]:
    made = nursery[0].spawn(memory_limit=4 << 30, process_limit=256, time_limit=120.0)
    made.hand_gate()
    made.ask("load", source=COMPILES, name="compiles", seed=1)
    construction = wire.pack({"args": (), "kwargs": {}, "weights": {}}, trusted=True)
    assert "error" not in made.ask("construct", (construction,), seed=1)
    os.close(construction)
    yield made
    made.close()


def run(worker: Worker, *values: float) -> dict[str, Any]:
    inputs = wire.pack((torch.tensor(values),), trusted=True)
    try:
        return worker.ask(
            "run", (inputs,), seed=1, return_inputs=False, reuse=False, keep=False, lend=False, change=None, watch=None
        )
    finally:
        os.close(inputs)


def outputs_of_a_run(worker: Worker, *values: float) -> tuple[torch.Tensor, int]:
    """And the number of the file that they came in."""
    inputs = wire.pack((torch.tensor(values),), trusted=True)
    reply, [fd] = worker.request(
        "run", (inputs,), seed=1, return_inputs=False, reuse=False, keep=False, lend=False, change=None, watch=None
    )
    assert "error" not in reply
    found = wire.unpack(fd)["outputs"], os.fstat(fd).st_ino
    os.close(inputs)
    os.close(fd)
    return found


def until_it_says(worker: Worker, word: str) -> None:
    for _ in range(1200):
        if word in worker.printed():
            return
        time.sleep(0.05)
    raise AssertionError(f"it never said {word!r}")


@pytest.mark.parametrize("passes_itself", [True, False])
def test_who_lacks_memory_beside_others_tries_again_alone(
    nursery: tuple[Nursery, DeviceGate], passes_itself: bool
) -> None:
    """Whether the process passes the gate itself, or the judge does for it."""
    made = nursery[0].spawn(memory_limit=4 << 30, process_limit=256, time_limit=120.0)
    if passes_itself:
        made.hand_gate()
    made.ask("load", source=HUNGRY, name="hungry", seed=1)
    construction = wire.pack({"args": (), "kwargs": {}, "weights": {}}, trusted=True)
    assert "error" not in made.ask("construct", (construction,), seed=1)
    os.close(construction)
    with ThreadPoolExecutor() as pool:
        with nursery[1].shared():
            answer = pool.submit(run, made, -1.0, 2.0)
            time.sleep(1.0)
            assert not answer.done(), "it did not wait until it was alone"
        assert "error" not in answer.result(60)
    made.close()


def test_others_have_the_device_alone_while_it_compiles(nursery: tuple[Nursery, DeviceGate], worker: Worker) -> None:
    gate = nursery[1]
    with ThreadPoolExecutor() as pool:
        began, answer = time.monotonic(), pool.submit(run, worker, -1.0, 2.0)
        until_it_says(worker, "compiling")
        with gate.alone():
            assert "compiled" not in worker.printed(), "it kept the device until it had compiled"
            until_it_says(worker, "compiled")
            worker.extend(1.0)
            time.sleep(2.0)  # what it waits is not its time
            assert "called" not in worker.printed(), "it called while another one was alone"
        reply = answer.result(60)
        assert "error" not in reply
        assert time.monotonic() - began - reply["seconds"] >= 2.0, "waiting is no time of the candidate"
    with gate.alone():
        assert "error" not in worker.ask("room", bytes=1 << 20)
    found = [outputs_of_a_run(worker, *values) for values in ((-3.0, 4.0), (5.0, -6.0))]
    assert [outputs.tolist() for outputs, _ in found] == [[0.0, 4.0], [5.0, 0.0]]
    assert found[0][1] == found[1][1], "what was made ready for outputs is used, and used again"
    with pytest.raises(Stopped, match="process_ended"):
        run(worker, 0.0)
    with gate.alone():  # it was inside when it ended
        pass


def test_only_who_is_vouched_for_is_handed_the_gate(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("open files are looked up in /proc")
    problem = Problem(name="relu", format="kernelbench", source=RELU)
    settings = JudgeSettings(timing=False, gate=str(tmp_path), unsafe=True)
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        stranger, friend = (session.judge(Candidate(source=LOOKS, author="test"), trusted=t) for t in (False, True))
    assert stranger.ok, stranger.feedback
    assert friend.status is Status.RUNTIME_FAILED
    assert "the gate is open" in friend.feedback
