"""Hostile candidates that only timed calls can show: caught, or at least not called faster than they are."""

from collections.abc import Iterator

import pytest
from hostile_court import Court, Watch
from hostile_samples import Sample, hostile

from kernelwright.judge.integrity import ATTACKS
from kernelwright.schema import Isolation, Status

TIMED = sorted((s for s in hostile() if s.timing), key=lambda s: (s.problem, s.name))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """In the judge's processes: threads that wait for each other on busy cores make a call of microseconds take tens of
    milliseconds, and a small budget then holds too few calls to show anything.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.mark.slow
@pytest.mark.parametrize("sample", TIMED, ids=lambda s: f"{s.problem}-{s.name}")
def test_timed_verdict(sample: Sample, court: Court, watch: Watch):
    verdict = court.judge(sample)
    if verdict.isolation is Isolation.NONE:
        pytest.skip("no isolation on this machine: see kernelwright doctor")
    if verdict.status is Status.CORRECT:
        assert "no_gain" in sample.expect, f"speedup {verdict.speedup.eager}"
        assert verdict.timing is not None
        assert not verdict.speedup.faster_than_eager
        assert not verdict.speedup.faster_than_best
    else:
        assert verdict.status.value in sample.expect, f"{verdict.status} ({verdict.rule}): {verdict.feedback}"
        assert verdict.rule in {r for attack in ATTACKS if sample.name in attack.samples for r in attack.rules}


def test_nothing_is_left_after_timing(court: Court, watch: Watch):
    court.adjourn()
    assert watch.left_processes() == set()
    assert watch.left_files() == set()
    assert Watch().state == watch.state
