"""How a judgement ends early: a status, the rule or stage, and what the author is told."""

from dataclasses import dataclass

from kernelwright.schema import Status


@dataclass(frozen=True)
class Finding:
    """Why a candidate is not correct."""

    status: Status
    rule: str
    feedback: str


class Stopped(Exception):
    """Carries a finding from the stage that made it to ``JudgeSession.judge``, which turns it into a verdict.

    Never leaves the judge.
    """

    def __init__(self, finding: Finding):
        super().__init__(finding.rule)
        self.finding = finding


def stop(status: Status, rule: str, feedback: str) -> Stopped:
    return Stopped(Finding(status, rule, feedback))
