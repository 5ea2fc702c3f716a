"""Random modules through the real judge: a hundred honest rewritings pass, a hundred mutations of one operator do not.

``benchmarks/fuzz_judge.py`` does the same with two thousand of each, and ``docs/fuzzing.md`` says what came out.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from fuzz_cases import Batch, block

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.schema import Candidate, Problem

HONEST = MUTANTS = 100
RUN = 1
"""The seed: always the same cases, for the same version of hypothesis."""
EACH = 20
"""Of either kind for one module. Opening a module takes as long as ten judgements."""
STEPS = 3


def batches() -> Iterator[Batch]:
    """Modules large enough to be rewritten in many ways."""
    known: set[str] = set()
    for number in count():
        yield from (batch for batch in block(number, RUN, EACH, known) if len(batch.module.steps) >= STEPS)


@pytest.mark.slow
def test_a_hundred_rewritings_pass_and_a_hundred_mutations_fail():
    taken = {"honest": 0, "mutant": 0}
    wrong: list[str] = []
    for batch in batches():
        problem = Problem(name="fuzz", format="kernelbench", source=batch.module.problem)
        with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
            for case in batch.cases:
                if taken[case.kind] == {"honest": HONEST, "mutant": MUTANTS}[case.kind]:
                    continue
                taken[case.kind] += 1
                source = batch.module.candidate(case.forms)
                verdict = session.judge(Candidate(source=source, author="fuzz"))
                if verdict.ok != (case.kind == "honest"):
                    what = batch.module.described(case.forms)
                    wrong.append(
                        f"{case.kind}, {what}: {verdict.status} {verdict.feedback}\n{problem.source}\n{source}"
                    )
        if taken == {"honest": HONEST, "mutant": MUTANTS}:
            break
    assert not wrong, "\n\n".join(wrong)
