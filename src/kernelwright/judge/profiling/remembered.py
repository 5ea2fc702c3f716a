"""What judgements of this session measured, so that a profile need not measure it again."""

from dataclasses import dataclass, field

from kernelwright.schema import Candidate, MetalWork, Timing

MOST = 256


@dataclass
class Remembered:
    """Times and counted work by candidate; the oldest are forgotten."""

    _ms: dict[str, float] = field(default_factory=dict[str, float])
    _work: dict[str, MetalWork] = field(default_factory=dict[str, MetalWork])

    def keep(self, candidate: Candidate, timing: Timing | None, work: MetalWork | None) -> None:
        if timing is not None:
            self._ms[candidate.digest] = timing.candidate_ms.median
        if work is not None:
            self._work[candidate.digest] = work
        for kept in (self._ms, self._work):
            while len(kept) > MOST:
                kept.pop(next(iter(kept)))

    def ms(self, candidate: Candidate) -> float | None:
        """Milliseconds of one call, as its judgement timed it."""
        return self._ms.get(candidate.digest)

    def work(self, candidate: Candidate) -> MetalWork | None:
        return self._work.get(candidate.digest)
