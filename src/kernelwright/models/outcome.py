"""What one request came to, before anyone decides whether to send another."""

from dataclasses import dataclass, field

from kernelwright.schema import CallStatus, Usage

MAY_PASS = frozenset({CallStatus.RATE_LIMITED, CallStatus.TIMED_OUT, CallStatus.UNAVAILABLE})
"""Failures that another request may not meet."""


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """One request's answer, or its failure."""

    status: CallStatus
    answer: str = ""
    detail: str = ""
    usage: Usage = field(default_factory=Usage)
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""

    @property
    def may_pass(self) -> bool:
        return self.status in MAY_PASS
