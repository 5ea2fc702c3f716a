"""Who has no chance any more, and when a whole run has none: reasons in words, from the ledger alone."""

from collections.abc import Sequence

from kernelwright.authors import Author, waits
from kernelwright.authors.standing import best
from kernelwright.schema import Attempt, BaselineTiming
from kernelwright.swarm.ledger import Ledger
from kernelwright.swarm.selection import best_attempt, best_baseline

AT_THE_LIMIT = 0.95
"""Share of a hardware limit beyond which the rest is noise."""
LITTLE_TO_GAIN = 0.9
"""Share of a baseline's time that goes into what no program can avoid, from which on nobody is asked for a better one.
It is counted at the bandwidth of reads alone, which nobody comes up to who writes as much."""


def why_drop(author: Author, ledger: Ledger) -> str | None:
    """Why this author need not be asked again; ``None`` while it may still win."""
    settings = ledger.run.settings
    own = ledger.history(author)
    last = own[-settings.tries :]
    if len(last) == settings.tries and all(_fruitless(attempt, ledger) for attempt in last):
        return f"gave up after {settings.tries} failures in a row"
    if waits(author) and (standing := best(own)) is not None:
        after = sum(attempt.number > standing.number and attempt.verdict.ok for attempt in own)
        if after >= settings.rounds:
            return f"no gain in {settings.rounds} rounds"
    return None


def why_not_begin(baselines: Sequence[BaselineTiming]) -> str | None:
    """Why nobody need be asked at all: the fastest baseline does little but read the inputs and write the outputs."""
    stays = best_baseline(baselines)
    limits = stays.limits if stays is not None else None
    if stays is None or limits is None or limits.certain_share is None or limits.certain_share < LITTLE_TO_GAIN:
        return None
    return f"{stays.name} is at {limits.certain_share:.0%} of what memory allows any program"


def why_end(ledger: Ledger) -> str | None:
    """Why nobody need be asked again: the winner stands at the hardware's limit."""
    winner = best_attempt(ledger.attempts)
    if winner is None or (share := _share_of_limit(winner)) < AT_THE_LIMIT:
        return None
    return f"attempt {winner.number} reached {share:.0%} of the hardware's limit"


def _share_of_limit(attempt: Attempt) -> float:
    limits = attempt.verdict.limits
    if limits is None:
        return 0.0
    shares = [limits.byte_share, None if limits.less_work else limits.work_share]
    return max((share for share in shares if share is not None), default=0.0)


def _fruitless(attempt: Attempt, ledger: Ledger) -> bool:
    """Failed, or repeated. Without the second an author that repeats itself would never end."""
    if not attempt.verdict.ok or attempt.candidate is None:
        return True
    digest = attempt.candidate.digest
    return any(
        earlier.number < attempt.number and earlier.candidate is not None and earlier.candidate.digest == digest
        for earlier in ledger.attempts
    )
