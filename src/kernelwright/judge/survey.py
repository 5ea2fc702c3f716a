"""Which problems can be judged on this machine at all: their references, one after the other, in one process."""

import secrets
import time
from dataclasses import dataclass
from types import TracebackType

from kernelwright.judge.reference.client import Reference, ReferenceFailed, baseline_cache
from kernelwright.platforms import Platform
from kernelwright.schema import Problem


@dataclass(frozen=True)
class ReferenceCheck:
    """Whether a reference can be built, drawn for and run under the judge."""

    ok: bool
    seconds: float
    reason: str = ""
    """One line, where it cannot."""
    yardstick: str = ""
    """What outputs would be held against: ``float64`` … or ``eager: REASON``, where float64 does not fit or run."""


class ReferenceSurvey:
    """Checks many problems; the process is replaced when one of them ends it or outlasts ``limit`` seconds."""

    def __init__(self, platform: Platform, limit: float = 180.0):
        self._platform = platform
        self._limit = limit
        self._reference: Reference | None = None

    def check(self, problem: Problem) -> ReferenceCheck:
        """Load, build, draw once, run in its own precision and in float64. Never raises for what the problem does."""
        began = time.monotonic()
        self._reference = self._reference or Reference(self._platform.name)
        seed = secrets.randbits(31)
        try:
            self._reference.open(problem, seed=seed, cache=baseline_cache(), draw_bytes=0, timeout=self._limit)
            left = max(1.0, self._limit - (time.monotonic() - began))
            tried = self._reference.ask("try", seed=seed, timeout=left)
        except ReferenceFailed as error:
            if error.lost:
                self.close()
            return ReferenceCheck(False, time.monotonic() - began, str(error))
        return ReferenceCheck(True, time.monotonic() - began, yardstick=tried["yardstick"])

    def close(self) -> None:
        if self._reference is not None:
            self._reference.close()
            self._reference = None

    def __enter__(self) -> "ReferenceSurvey":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
