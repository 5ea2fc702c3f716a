"""Random modules through the real judge: honest rewritings pass, mutations of one operator do not.

A hundred of either kind take half a minute; ``make test`` takes forty.

The judge draws weights and inputs under secret seeds, so the mutations here are those that show under any. Those that
show on some weights, or on ties, are part of ``benchmarks/fuzz_judge.py``, which takes two thousand of either kind;
``docs/fuzzing.md`` says what came out.
"""

from collections.abc import Iterator
from itertools import count

import pytest
import torch
from fuzz_cases import Batch, Case, block, on_one_thread
from fuzz_measure import DIFFER, Measured

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.schema import Candidate, Problem

RUN = 1
"""The seed: always the same cases, for the same version of hypothesis."""
EACH = {40: 20, 100: 34}
"""Of either kind for one module, by how many there are to be. Opening a module takes as long as ten judgements."""
STEPS = 3
SEEDS = range(1, 6)


def batches(each: int) -> Iterator[Batch]:
    """Modules large enough to be rewritten in many ways."""
    known: set[str] = set()
    for number in count():
        yield from (batch for batch in block(number, RUN, each, known) if len(batch.module.steps) >= STEPS)


def certain(batch: Batch) -> Iterator[Case]:
    """The honest candidates, and the mutations that show on the problem's own inputs whatever the weights."""
    measured = [Measured(batch.module.problem, seed) for seed in SEEDS]
    for case in batch.cases:
        source = batch.module.candidate(case.forms)
        if case.kind == "honest" or all(m.difference(source, ("natural",)).largest > DIFFER for m in measured):
            yield case


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in the judge's processes: small tensors gain nothing from a pool of threads."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    on_one_thread()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("of_each", [40, pytest.param(100, marks=pytest.mark.thorough)])
def test_rewritings_pass_and_mutations_fail(of_each: int, one_thread: None):
    wanted = {"honest": of_each, "mutant": of_each}
    taken = {"honest": 0, "mutant": 0}
    wrong: list[str] = []
    for batch in batches(EACH[of_each]):
        problem = Problem(name="fuzz", format="kernelbench", source=batch.module.problem)
        with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
            for case in certain(batch):
                if taken[case.kind] == wanted[case.kind]:
                    continue
                taken[case.kind] += 1
                source = batch.module.candidate(case.forms)
                verdict = session.judge(Candidate(source=source, author="fuzz"))
                if verdict.ok != (case.kind == "honest"):
                    what = batch.module.described(case.forms)
                    wrong.append(
                        f"{case.kind}, {what}: {verdict.status} {verdict.feedback}\n{problem.source}\n{source}"
                    )
        if taken == wanted:
            break
    assert not wrong, "\n\n".join(wrong)
