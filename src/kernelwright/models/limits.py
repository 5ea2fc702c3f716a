"""How long a model is waited for, how often it is asked, and how many calls a provider gets at once."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    call: float = 900.0
    """For one request: reasoning models think for minutes."""
    silence: float = 300.0
    """Between two pieces of an answer, and before the first."""
    requests: int = 6
    """Requests for one call, repeated ones included."""
    waiting: float = 900.0
    """For all waits between the requests of one call."""
    first_wait: float = 1.0
    """Before the second request; it doubles from one to the next."""
    longest_wait: float = 60.0
    """Of ours: what a provider asks for may be longer."""
    at_once: int = 8
    """Requests to one provider."""

    @classmethod
    def from_environment(cls) -> "Limits":
        """``KERNELWRIGHT_MODEL_REQUESTS_AT_ONCE`` and ``KERNELWRIGHT_MODEL_SECONDS`` change ``at_once`` and ``call``.

        Raises ``ValueError`` with one line for what is no number above 0.
        """
        at_once = _number("KERNELWRIGHT_MODEL_REQUESTS_AT_ONCE", cls().at_once)
        call = _number("KERNELWRIGHT_MODEL_SECONDS", cls().call)
        return cls(call=call, silence=min(call, cls().silence), at_once=max(1, int(at_once)))

    def wait(self, sent: int, asked_for: float | None, jitter: float) -> float:
        """Seconds before the next request, after ``sent`` of them.

        ``asked_for``: the provider's Retry-After, which is never undercut. ``jitter``: 0..1, so that calls that failed
        together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
        """
        ours = min(self.longest_wait, self.first_wait * 2 ** (sent - 1)) * (0.5 + 0.5 * jitter)
        return ours if asked_for is None else asked_for + self.first_wait * jitter


def _number(name: str, default: float) -> float:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ValueError(f"{name}={text!r} is no number above 0")
    return value
