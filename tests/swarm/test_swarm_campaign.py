"""Runs side by side: one device, one end."""

import threading
import time
from typing import Any

import pytest

from kernelwright.swarm import SwarmInterruptedError
from kernelwright.swarm.campaign import CampaignInterruptedError, Shared, side_by_side


def test_runs_come_back_in_their_order_and_share_the_device() -> None:
    inside = 0

    def start(number: int) -> Any:
        def run(shared: Shared) -> int:
            nonlocal inside
            with shared.device:
                inside += 1
                assert inside == 1
                time.sleep(0.005 * (3 - number))
                inside -= 1
            return number

        return run

    assert side_by_side([start(n) for n in range(4)], at_once=4) == [0, 1, 2, 3]


def test_a_run_that_fails_stops_the_others() -> None:
    begun = threading.Barrier(2, timeout=10)

    def fails(shared: Shared) -> Any:
        begun.wait()
        raise OSError("the disk is full")

    def stops(shared: Shared) -> Any:
        begun.wait()
        assert shared.stop.wait(30)
        raise SwarmInterruptedError("r1")

    with pytest.raises(OSError, match="the disk is full"):
        side_by_side([stops, fails], at_once=2)


def test_interrupted_runs_are_named() -> None:
    def interrupted(shared: Shared) -> Any:
        raise SwarmInterruptedError("r7")

    with pytest.raises(CampaignInterruptedError) as caught:
        side_by_side([interrupted, interrupted], at_once=1)
    assert caught.value.run_ids == ("r7",)  # the second never began
