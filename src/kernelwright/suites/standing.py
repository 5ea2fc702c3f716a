"""What one problem's record counts for, before anything is summed up."""

from dataclasses import dataclass

from kernelwright.schema import BaselineTiming, Status
from kernelwright.suites.recording import against_each
from kernelwright.suites.records import BEST, AttemptShort, ProblemRecord

STAYS = 1.0
"""The speed-up of a problem that could not be judged, or in which nothing was timed: the module stays as it is."""


@dataclass(frozen=True)
class Standing:
    """One problem against one baseline. Speed-ups are the baseline's time over the candidate's."""

    record: ProblemRecord
    correct: bool
    """Whether the run has a correct candidate."""
    candidate: float | None
    """The speed-up of the run's candidate: its winner, or, where none won, the correct one that is fastest against
    eager. ``None`` where there is none, or none was timed against this baseline."""
    kept: float
    """The speed-up that the user keeps: the winner's; where no candidate won, that of the baseline that stays."""
    inexact: bool
    """Whether the baseline's own answer would be rejected as a candidate's."""


def standing(record: ProblemRecord, baseline: str) -> Standing | None:
    """``None`` where the problem was judged and this baseline could not be built or timed: nothing to compare with."""
    if not record.failure and not _timed(record, baseline):
        return None
    correct = [attempt for attempt in record.attempts if attempt.status is Status.CORRECT]
    inexact = _inexact(record, baseline)
    won = record.speedups.get(baseline)
    if won is not None:
        return Standing(record, bool(correct), won.median, won.median, inexact)
    fastest = max(correct, key=_against_eager, default=None)
    found = against_each(fastest.speedup, record.baselines).get(baseline) if fastest is not None else None
    kept = _of_what_stays(record, baseline)
    return Standing(record, bool(correct), found.median if found is not None else None, kept, inexact)


def _inexact(record: ProblemRecord, baseline: str) -> bool:
    timed = [(b.ms.median, b.name, b.inexact is not None) for b in record.baselines if b.ms is not None]
    chosen = sorted(timed)[:1] if baseline == BEST else [one for one in timed if one[1] == baseline]
    return any(inexact for *_, inexact in chosen)


def _of_what_stays(record: ProblemRecord, baseline: str) -> float:
    """The baseline that stays is the fastest, or eager where none is faster beyond noise; both count as they are."""
    timed = {b.name: b for b in record.baselines if b.ms is not None}
    if record.stays not in timed or baseline == BEST:
        return STAYS
    stays, other = (1.0 if name == "eager" else _vs_eager(timed[name]) for name in (record.stays, baseline))
    return stays / other


def _vs_eager(baseline: BaselineTiming) -> float:
    return baseline.vs_eager.median if baseline.vs_eager is not None else 1.0


@dataclass(frozen=True)
class Shares:
    """Of the two hardware limits, what was reached by what the run ended with: its winner, or the baseline that stays.

    ``None`` where a floor or the time is not known.
    """

    of_bytes: float | None
    of_work: float | None
    less_work: bool

    @property
    def larger(self) -> float | None:
        """Whose work is less than the reference's is held against the bytes alone."""
        known = [share for share in (self.of_bytes, None if self.less_work else self.of_work) if share is not None]
        return max(known, default=None)


def limit_shares(record: ProblemRecord) -> Shares:
    stays = next((baseline.ms for baseline in record.baselines if baseline.name == record.stays), None)
    ms = record.winner.ms if record.winner is not None else stays

    def share(floor: float | None) -> float | None:
        return floor / ms.median if floor and ms is not None else None

    less_work = record.winner is not None and record.winner.less_work
    return Shares(share(record.byte_floor_ms), share(record.work_floor_ms), less_work)


def _timed(record: ProblemRecord, baseline: str) -> bool:
    timed = {b.name for b in record.baselines if b.ms is not None}
    return bool(timed) if baseline == BEST else baseline in timed


def _against_eager(attempt: AttemptShort) -> float:
    return attempt.speedup.eager.median if attempt.speedup.eager is not None else 0.0
