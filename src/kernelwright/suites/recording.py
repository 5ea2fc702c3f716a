"""From a finished run to its record in the results file."""

from collections.abc import Sequence
from datetime import UTC, datetime

from kernelwright.schema import Attempt, BaselineTiming, Interval, Outcome, Run, Speedup, Status
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.records import BEST, AttemptShort, ProblemRecord, Winner

END = 200
"""Characters of either end of what was said about an attempt that failed."""


def of_run(found: Found, run: Run, attempts: Sequence[Attempt]) -> ProblemRecord:
    """Everything but the time that it took."""
    outcome = run.outcome or Outcome(winner="eager")
    won = next((attempt for attempt in attempts if attempt.number == outcome.attempt), None)
    limits = (*(b.limits for b in outcome.baselines), *(attempt.verdict.limits for attempt in attempts))
    floors = next((one for one in limits if one is not None), None)
    return ProblemRecord(
        level=found.level,
        number=found.number,
        name=found.problem.name,
        digest=found.problem.digest,
        finished=now(),
        run=run.id,
        labels=outcome.problem_labels,
        baselines=outcome.baselines,
        attempts=tuple(map(_short, attempts)),
        stays=outcome.winner,
        winner=None if won is None else _winner(won),
        byte_floor_ms=floors.byte_floor_ms if floors else None,
        work_floor_ms=floors.work_floor_ms if floors else None,
        speedups={} if won is None else against_each(won.verdict.speedup, outcome.baselines),
    )


def not_judged(found: Found, why: str) -> ProblemRecord:
    return ProblemRecord(
        level=found.level,
        number=found.number,
        name=found.problem.name,
        digest=found.problem.digest,
        finished=now(),
        failure=" ".join(why.split())[:1000],
    )


def against_each(speedup: Speedup, baselines: Sequence[BaselineTiming]) -> dict[str, Interval]:
    """A candidate's speed-up against every baseline that was timed, and against the best one.

    Against eager and the best baseline the judge timed it, block beside block. Against another baseline it is what both
    have against eager, the one over the other, with the widest interval that these allow.
    """
    found: dict[str, Interval] = {}
    if speedup.eager is None:
        return found
    for baseline in baselines:
        if baseline.name == "eager":
            found["eager"] = speedup.eager
        elif baseline.name == speedup.best_baseline_name and speedup.best_baseline is not None:
            found[baseline.name] = speedup.best_baseline
        elif baseline.vs_eager is not None:
            found[baseline.name] = over(speedup.eager, baseline.vs_eager)
    if speedup.best_baseline is not None:
        found[BEST] = speedup.best_baseline
    return found


def over(a: Interval, b: Interval) -> Interval:
    """The ratio of two ratios, with the widest interval that fits."""
    return Interval(median=a.median / b.median, low=a.low / b.high, high=a.high / b.low)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _short(attempt: Attempt) -> AttemptShort:
    verdict = attempt.verdict
    return AttemptShort(
        number=attempt.number,
        author=attempt.author,
        title=attempt.candidate.title if attempt.candidate else "",
        status=verdict.status,
        rule=verdict.rule,
        why="" if verdict.status is Status.CORRECT else _ends(verdict.feedback),
        speedup=verdict.speedup,
        labels=verdict.labels,
        write_seconds=attempt.write_seconds,
        judge_seconds=attempt.judge_seconds,
    )


def _ends(text: str) -> str:
    """One line: how it begins says what is wrong, and a traceback ends with the error."""
    line = " ".join(text.split())
    return line if len(line) <= 2 * END else f"{line[:END]} … {line[-END:]}"


def _winner(attempt: Attempt) -> Winner | None:
    candidate, limits = attempt.candidate, attempt.verdict.limits
    if candidate is None:
        return None
    return Winner(
        attempt=attempt.number,
        author=attempt.author,
        title=candidate.title,
        target=candidate.target,
        digest=candidate.digest,
        source=candidate.source,
        ms=attempt.verdict.timing.candidate_ms if attempt.verdict.timing else None,
        less_work=limits.less_work if limits else False,
    )
