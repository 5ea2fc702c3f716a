"""A session's wall time by phase: each second once, and waiting before the gate in none of the phases."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from kernelwright.judge import spent
from kernelwright.judge.spent import Spent, spent_by


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.waited = 0.0

    def works(self, seconds: float) -> None:
        self.now += seconds

    def waits(self, seconds: float) -> None:
        self.now += seconds
        self.waited += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(spent, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_each_second_counts_once(clock: Clock, tmp_path: Path) -> None:
    phases = Spent(lambda: clock.waited)
    with phases.on("checking"):
        clock.works(1.0)
        with phases.on("timing"):
            clock.works(2.0)
            with phases.on("preparing"):
                clock.works(4.0)
            clock.waits(100.0)
        clock.works(8.0)
        with phases.on("preparing"):
            clock.works(16.0)
    clock.works(1000.0)
    with pytest.raises(ZeroDivisionError), phases.on("timing"):
        clock.works(32.0)
        raise ZeroDivisionError
    phases.write(tmp_path)
    assert spent_by(tmp_path, os.getpid()) == {"checking": 9.0, "timing": 34.0, "preparing": 20.0, "gate": 100.0}
    assert spent_by(tmp_path, 1) == {}
