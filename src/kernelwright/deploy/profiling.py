"""``kernelwright.deploy.profile``: where a candidate's time goes, and one recommendation, in one call."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from kernelwright.deploy.judging import ProblemLike, as_candidate, as_problem
from kernelwright.schema import Advice, Attempt, Candidate, Profile, Target, Verdict


@dataclass(frozen=True)
class Profiled:
    """What came of it."""

    candidate: Candidate
    verdict: Verdict
    """Of correctness alone: nothing is timed against baselines."""
    profile: Profile | None
    """``None`` where nothing here can tell."""
    advice: Advice | None
    """``None`` without a profile."""


def profile(
    problem: ProblemLike,
    source: str | Path,
    target: str | Target | None = None,
    *,
    analyst: str = "rules",
    unsafe: bool = False,
    platform: str | None = None,
    screenshots: bool = False,
) -> Profiled:
    """Check one candidate, profile it, and ask an analyst (``rules``, or ``PROVIDER:MODEL``).

    A candidate that is not correct is profiled too, as far as it runs: the verdict says what it is.
    ``screenshots``: on a Mac, let Xcode open a capture and take pictures of it, which takes over the screen. The other
    arguments are those of ``kernelwright.judge``. Raises ``LookupError`` for an unknown analyst or platform,
    ``ProblemError``, ``ValueError`` and ``OSError`` as ``judge`` does, and ``ReferenceFailed`` where the problem itself
    does not work.
    """
    from kernelwright import analysis, platforms
    from kernelwright.judge import JudgeSession, JudgeSettings
    from kernelwright.models import MemoryJournal

    reader = analysis.get(analyst)
    candidate = as_candidate(source, target, author="profile")
    settings = JudgeSettings(timing=False, unsafe=unsafe, screenshots=screenshots)
    with JudgeSession(as_problem(problem), platforms.get(platform), settings) as session:
        verdict = session.judge(candidate)
        found = session.profile(candidate)
        facts = session.device
    if found is None or facts is None:
        return Profiled(candidate, verdict, None, None)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    attempt = Attempt(run="profile", number=1, author="profile", candidate=candidate, verdict=verdict, created=now)
    advice = reader.advise(analysis.Subject(attempt, found, facts, "profile/1/advice"), MemoryJournal())
    return Profiled(candidate, verdict, found, advice)
