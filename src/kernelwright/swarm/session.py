"""What the swarm needs of a judge, and no more: ``kernelwright.judge.JudgeSession`` fits, and so does a fake."""

from typing import Protocol

from kernelwright.schema import BaselineTiming, Candidate, Profile, Verdict


class Session(Protocol):
    """One problem on one platform."""

    @property
    def problem_labels(self) -> tuple[str, ...]:
        """What the judge found about the problem itself."""
        ...

    @property
    def eager_error(self) -> float | None:
        """How far eager is from float64, in the norm; ``None`` where that is not known."""
        ...

    def baselines(self) -> tuple[BaselineTiming, ...]:
        """Every baseline, timed or failed."""
        ...

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        """The verdict; never raises for what the candidate does."""
        ...

    def profile(self, candidate: Candidate, *, trusted: bool = False) -> Profile | None:
        """Where the time of a correct candidate goes; ``None`` where nothing here can tell. Never raises for it."""
        ...
