"""Honest candidates are correct, whatever their numerics, their language and their names for the weights."""

from collections.abc import Iterator

import pytest
from hostile_court import Court
from hostile_samples import Sample, honest

from kernelwright.schema import Isolation, Status


@pytest.fixture(scope="module", autouse=True)
def as_many_threads_as_cores() -> Iterator[None]:
    """In the judge's processes, as users have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield


@pytest.mark.parametrize(
    "sample",
    [pytest.param(s, marks=[pytest.mark.slow, pytest.mark.thorough] if s.slow else []) for s in honest()],
    ids=lambda s: s.name,
)
def test_honest_candidate_is_correct(sample: Sample, court: Court):
    verdict = court.judge(sample)
    if verdict.isolation is Isolation.NONE:
        pytest.skip("no isolation on this machine: see kernelwright doctor")
    assert verdict.status is Status.CORRECT, f"{verdict.status} ({verdict.rule}): {verdict.feedback}"
    assert verdict.accuracy is not None
    assert verdict.accuracy.passes[verdict.precision]
    if sample.name == "renamed_parameters":
        assert "weights_by_order" in verdict.labels
