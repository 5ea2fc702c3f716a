"""Every hostile candidate gets the verdict its header names, and costs nothing but that verdict."""

from dataclasses import replace
from itertools import groupby

import pytest
from hostile_court import Court, Watch
from hostile_samples import Sample, honest, hostile

from kernelwright.judge.integrity import ATTACKS
from kernelwright.schema import Isolation, Status

MOST_ARTIFACTS = 500_000
"""Characters of generated code that a verdict may carry."""

JUDGED_TWICE = ("message_in_a_bottle", "planted_builds")


def catalogued(sample: Sample) -> frozenset[str]:
    """The rules that the catalogue says stop it."""
    return frozenset().union(*(attack.rules for attack in ATTACKS if sample.name in attack.samples))


def cases() -> list[Sample]:
    """All samples that show themselves without timing, each problem's followed by an honest witness."""
    plain_last = sorted(honest(), key=lambda s: (s.platform is None, s.target == "torch", not s.slow))
    witnesses = {s.problem: s for s in plain_last}
    untimed = sorted((s for s in hostile() if not s.timing), key=lambda s: (s.problem, s.limit or 0.0, s.name))
    found: list[Sample] = []
    untimed = [again for s in untimed for again in [s] * (2 if s.name in JUDGED_TWICE else 1)]
    for (problem, limit), group in groupby(untimed, key=lambda s: (s.problem, s.limit)):
        witness = witnesses[problem]
        found += [*group, replace(witness, limit=limit)]
    return found


@pytest.mark.parametrize("sample", cases(), ids=lambda s: f"{s.problem}-{s.name}")
def test_verdict(sample: Sample, court: Court, watch: Watch):
    verdict = court.judge(sample)
    if verdict.isolation is Isolation.NONE:
        pytest.skip("no isolation on this machine: see kernelwright doctor")
    if not sample.expect:
        assert verdict.status is Status.CORRECT, f"an honest candidate after the hostile ones: {verdict.feedback}"
        return
    if sample.may_be_correct:
        assert verdict.status is Status.CORRECT, f"{verdict.status} ({verdict.rule}): {verdict.feedback}"
        assert sample.labels <= set(verdict.labels)
        assert verdict.warnings or "remarked" not in sample.expect
        assert sum(map(len, verdict.artifacts.values())) < MOST_ARTIFACTS
        return
    assert verdict.status is not Status.CORRECT
    assert verdict.status.value in sample.expect, f"{verdict.status} ({verdict.rule}): {verdict.feedback}"
    assert verdict.rule in catalogued(sample), verdict.feedback
    assert verdict.feedback
    assert sample.feedback in verdict.feedback
    assert len(verdict.feedback) < 20_000


def test_nothing_is_left(court: Court, watch: Watch):
    court.adjourn()
    assert watch.left_processes() == set()
    assert watch.left_files() == set()
    after = Watch()
    assert after.state == watch.state
