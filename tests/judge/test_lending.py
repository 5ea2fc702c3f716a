"""Tensors that stay on the device between two processes: what is read is what was lent, where that is allowed."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings, wire
from kernelwright.problems import from_file
from kernelwright.schema import Candidate, Status, Target


class StandIn:
    """Lends memory of this process, as the driver does: an allocation by its handle, a tensor by its offset."""

    def __init__(self) -> None:
        self.allocations: list[torch.Tensor] = []
        self.closed = 0

    def lend(self, tensor: torch.Tensor) -> tuple[bytes, int]:
        whole = torch.tensor([], dtype=torch.uint8).set_(tensor.untyped_storage())
        self.allocations.append(whole)
        handle = len(self.allocations).to_bytes(64, "little")
        return handle, tensor.data_ptr() - whole.data_ptr()

    @contextmanager
    def borrowed(self, handle: bytes, offset: int, nbytes: int) -> Generator[torch.Tensor]:
        yield self.allocations[int.from_bytes(handle, "little") - 1][offset : offset + nbytes]
        self.closed += 1


def test_what_is_read_is_what_was_lent() -> None:
    lender = StandIn()
    image = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    value = {
        "a": [torch.randn(3, 4)[1:], image, torch.tensor(2.5)],
        "b": (torch.arange(6).reshape(2, 3).T, torch.empty(0, 3), torch.randn(1, 3).expand(4, 3)),
        "c": 7,
    }
    lent = wire.lend(value, lender)
    assert os.fstat(lent.fd).st_size < 4096
    found = wire.unpack(lent.fd, lender=lender)
    os.close(lent.fd)
    assert found["c"] == 7
    for was, now in zip((*value["a"], *value["b"]), (*found["a"], *found["b"]), strict=True):
        assert torch.equal(was, now)
        assert was.dtype == now.dtype
        assert not was.numel() or was.data_ptr() != now.data_ptr()
    assert found["a"][1].stride() == image.stride()
    assert lender.closed == 5


def test_copies_are_lent_of_what_will_be_written_over() -> None:
    lender = StandIn()
    x = torch.ones(8)
    lent = wire.lend([x], lender, copies=True)
    x.zero_()
    [found] = wire.unpack(lent.fd, lender=lender)
    os.close(lent.fd)
    assert torch.equal(found, torch.ones(8))


def test_nobody_else_may_point_at_memory() -> None:
    lent = wire.lend([torch.ones(8)], StandIn())
    with pytest.raises(wire.WireError, match="points at memory"):
        wire.unpack(lent.fd)
    os.close(lent.fd)


def test_a_full_device_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lender = StandIn()
    lent = wire.lend([torch.ones(8)], lender)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(lender, "borrowed", full)
    with pytest.raises(torch.OutOfMemoryError):
        wire.unpack(lent.fd, lender=lender)
    os.close(lent.fd)


PROBLEM = """
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)
    def forward(self, x):
        return torch.relu(self.linear(x)), x.transpose(0, 1)
def get_inputs():
    return [torch.randn(512, 64)]
def get_init_inputs():
    return []
"""
RIGHT = PROBLEM.replace("class Model(", "class ModelNew(").split("def get_inputs")[0]
WRONG = RIGHT.replace("torch.relu(self.linear(x))", "torch.relu(self.linear(x)) + 1e-4")
LATE = """
import torch
from torch import nn
class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.side = None
    def forward(self, x):
        self.side = self.side or torch.cuda.Stream()
        out = torch.empty_like(x)
        self.side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.side):
            torch.cuda._sleep(20_000_000)
            out.copy_(torch.relu(self.linear(x)))
        return out, x.transpose(0, 1)
"""


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(
    ("source", "status"), [(RIGHT, Status.CORRECT), (WRONG, Status.MISMATCH), (LATE, Status.MISMATCH)]
)
def test_on_a_gpu(tmp_path: Path, source: str, status: Status) -> None:
    """Whoever is vouched for is judged as strictly as through files; what is not waited for is seen too."""
    path = tmp_path / "problem.py"
    path.write_text(PROBLEM)
    settings = JudgeSettings(unsafe=True, timing_budget=1.0, baselines=("eager",))
    with JudgeSession(from_file(path), platforms.get("cuda"), settings) as session:
        candidate = Candidate(source=source, target=Target.TORCH, author="test", title="test")
        for trusted in (True, False):
            verdict = session.judge(candidate, trusted=trusted)
            assert verdict.status is status, verdict.feedback
            assert session._lends is True
