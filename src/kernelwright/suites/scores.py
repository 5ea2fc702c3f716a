"""Scores of a suite: fast_p, geometric means with intervals, shares of the limits, problems per hour.

fast_p is KernelBench's (Ouyang et al. 2025, "KernelBench: Can LLMs Write Efficient GPU Kernels?", arXiv:2502.10517):
the share of problems whose candidate is correct and faster than p times the baseline; fast_0 is the share of correct
ones. Intervals are percentile bootstrap intervals of 95 % over problems (``scipy.stats.bootstrap``).
"""

import json
import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Literal

from pydantic import Field

from kernelwright.schema import Interval, Record
from kernelwright.suites.kernelbench import SuiteError
from kernelwright.suites.records import BEST, Head, ProblemRecord, Spent, SuiteResults
from kernelwright.suites.standing import Standing, limit_shares, standing

THRESHOLDS = (0.0, 0.8, 1.0, 1.5, 2.0)
AGAINST = ("eager", "compile", "compile-max-autotune", BEST)
NEVER_SLOWER = 0.98
HOLDING_BACK = 10
RESAMPLES = 2000


class FastP(Record):
    """The share of problems that are correct and faster than ``p`` times the baseline."""

    p: float
    share: float


class AgainstScore(Record):
    """One group of problems against one baseline."""

    baseline: str
    """Its name, or ``best``: the fastest of those that were timed for the problem."""
    problems: int
    """Counted: those not judged are in it, those without this baseline are not."""
    without_baseline: int
    """Judged, but this baseline could not be built or timed."""
    fast_p: tuple[FastP, ...]
    geometric_mean: Interval | None
    """Of what the user keeps, over all: where no candidate won, the baseline that stays counts as it is."""
    geometric_mean_correct: Interval | None
    """Of the candidates themselves, over the problems with a correct one that was timed, slower ones too."""
    median: float | None
    """Of what the user keeps."""
    below: int
    """Problems in which the user keeps less than 0.98 times the baseline's speed."""
    inexact: int
    """Problems in which the baseline's own answer would be rejected as a candidate's."""


class GroupScore(Record):
    """A level, or all of them; with or without degenerate problems."""

    group: str
    """``level 1`` …, or ``all``."""
    degenerate: bool
    """Whether degenerate problems are counted."""
    problems: int
    judged: int
    correct: int
    """Problems with a correct candidate."""
    won: int
    """Problems that end with a candidate, ``torch.compile`` written down as one included."""
    against: tuple[AgainstScore, ...]
    byte_share: float | None
    """Median: the time to move inputs, weights and outputs once, over the time of what the run ended with."""
    work_share: float | None
    """Median: the time for the reference's FLOPs, over the time of what the run ended with."""


class HoldsBack(Record):
    """A problem that holds the mean against the best baseline back."""

    problem: str
    speedup: float
    """What the user keeps against the best baseline."""
    winner: str
    """Author and title, or the baseline that stays, or why the problem could not be judged."""
    limit_share: float | None
    """The larger share of the two limits that was reached; of work only where it is not less than the reference's."""


class PlaceScore(Record):
    """The results of one device and torch version."""

    device: str
    torch: str
    groups: tuple[GroupScore, ...]
    holding_back: tuple[HoldsBack, ...]
    wall_seconds: float
    device_seconds: float
    device_share: float | None
    """Of the wall time of each device, in which it worked in timed or checked calls."""
    problems_per_hour: float | None
    """On one device."""
    spent: Spent | None
    """Of all problems; ``None`` where no record has it."""
    cut_short: int = 0
    """Problems that a time limit ended before their budget did."""


class SuiteScore(Record):
    """``kernelwright suite score --json``."""

    schema_version: Literal["kernelwright.suite-score/1"] = Field(default="kernelwright.suite-score/1", alias="schema")
    suite: str
    precision: str
    places: tuple[PlaceScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, ``schema`` first."""
        return json.loads(self.model_dump_json(by_alias=True))


def score(results: SuiteResults, against: Sequence[str] = ()) -> SuiteScore:
    """``against``: names of baselines, ``best`` among them; by default those of ``AGAINST`` that were asked for.

    Raises ``SuiteError`` where the file holds no problem.
    """
    if not results.problems:
        raise SuiteError("there are no problems in these results yet")
    settings = results.heads[0].settings
    measured = {name for head in results.heads for name in head.settings.baselines}
    against = against or tuple(name for name in AGAINST if name in measured or name == BEST)
    places = list(dict.fromkeys(results.heads[record.head].place for record in results.problems))
    scores: list[PlaceScore] = []
    for place in sorted(places):
        heads = [head for head in results.heads if head.place == place]
        scores.append(_place([r for r in results.problems if results.heads[r.head].place == place], heads, against))
    return SuiteScore(suite=settings.suite, precision=settings.precision.value, places=tuple(scores))


def geometric_mean(values: Sequence[float]) -> Interval | None:
    """With its interval; ``None`` of nothing. Values are positive."""
    if not values:
        return None
    logs = [math.log(value) for value in values]
    middle = math.exp(math.fsum(logs) / len(logs))
    if max(values) == min(values):
        return Interval(median=values[0], low=values[0], high=values[0])
    import numpy as np
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.array(logs),), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return Interval(median=middle, low=math.exp(found.low), high=math.exp(found.high))


def fast_p(standings: Sequence[Standing], p: float) -> float:
    """The share of all of them; 0 of none."""
    passed = (s.correct and (p == 0.0 or (s.candidate is not None and s.candidate > p)) for s in standings)
    return sum(passed) / len(standings) if standings else 0.0


def _place(records: Sequence[ProblemRecord], heads: Sequence[Head], against: Sequence[str]) -> PlaceScore:
    levels = sorted({record.level for record in records})
    named = [*((f"level {level}", [r for r in records if r.level == level]) for level in levels)]
    named.append(("all", list(records)))
    groups = [
        _group(name, [r for r in chosen if degenerate or not r.labels], against, degenerate=degenerate)
        for name, chosen in named
        for degenerate in (True, False)
    ]
    sittings = [sitting for head in heads for sitting in head.sittings]
    wall = math.fsum(s.wall_seconds for s in sittings)
    whole = math.fsum(s.wall_seconds * s.devices for s in sittings)
    device = math.fsum(s.device_seconds for s in sittings)
    return PlaceScore(
        device=heads[0].device.name,
        torch=heads[0].torch,
        groups=tuple(groups),
        holding_back=_holding_back(records),
        wall_seconds=wall,
        device_seconds=device,
        device_share=device / whole if whole else None,
        problems_per_hour=3600 * sum(s.problems for s in sittings) / whole if whole else None,
        spent=_spent(records),
        cut_short=sum(record.cut_short for record in records),
    )


def _spent(records: Sequence[ProblemRecord]) -> Spent | None:
    known = [record.spent for record in records if record.spent is not None]
    return sum(known, start=Spent()) if known else None


def _group(name: str, records: Sequence[ProblemRecord], against: Sequence[str], *, degenerate: bool) -> GroupScore:
    shares = [limit_shares(record) for record in records]
    return GroupScore(
        group=name,
        degenerate=degenerate,
        problems=len(records),
        judged=sum(not record.failure for record in records),
        correct=sum(any(a.status == "correct" for a in record.attempts) for record in records),
        won=sum(record.winner is not None for record in records),
        against=tuple(_against(records, baseline) for baseline in against),
        byte_share=_median(share.of_bytes for share in shares),
        work_share=_median(share.of_work for share in shares),
    )


def _against(records: Sequence[ProblemRecord], baseline: str) -> AgainstScore:
    found = [s for record in records if (s := standing(record, baseline)) is not None]
    kept = [s.kept for s in found]
    return AgainstScore(
        baseline=baseline,
        problems=len(found),
        without_baseline=len(records) - len(found),
        fast_p=tuple(FastP(p=p, share=fast_p(found, p)) for p in THRESHOLDS),
        geometric_mean=geometric_mean(kept),
        geometric_mean_correct=geometric_mean([s.candidate for s in found if s.correct and s.candidate is not None]),
        median=_median(kept),
        below=sum(value < NEVER_SLOWER for value in kept),
        inexact=sum(s.inexact for s in found),
    )


def _holding_back(records: Iterable[ProblemRecord]) -> tuple[HoldsBack, ...]:
    """The lowest first; of equals those farthest from their limit, as far as that is known."""
    found = [s for record in records if (s := standing(record, BEST)) is not None]
    found.sort(key=lambda s: (s.kept, limit_shares(s.record).larger or 0.0, s.record.key))
    return tuple(
        HoldsBack(
            problem=s.record.title,
            speedup=s.kept,
            winner=s.record.outcome,
            limit_share=limit_shares(s.record).larger,
        )
        for s in found[:HOLDING_BACK]
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
