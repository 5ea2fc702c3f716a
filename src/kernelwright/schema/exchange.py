"""Exchanges: one question to a language model and what came of it, as it is stored and replayed."""

from enum import StrEnum
from typing import Literal

from kernelwright.schema.base import Record


class CallStatus(StrEnum):
    """How a call of a model ended. Everything but ``ANSWERED`` leaves the author without a usable answer."""

    ANSWERED = "answered"
    EMPTY = "empty"
    """The provider says that it is done, and there is no text."""
    REFUSED = "refused"
    """The model, or a filter in front of it, declined."""
    CUT_OFF = "cut_off"
    """The stream broke, or the answer hit the limit of output tokens; what arrived is kept."""
    CONTEXT_OVERFLOW = "context_overflow"
    RATE_LIMITED = "rate_limited"
    TIMED_OUT = "timed_out"
    UNAVAILABLE = "unavailable"
    """No connection, or the server failed (5xx)."""
    UNAUTHORIZED = "unauthorized"
    OUT_OF_CREDIT = "out_of_credit"
    INVALID_REQUEST = "invalid_request"
    """The provider does not know the model or a parameter: asking again is no use."""
    MALFORMED = "malformed"
    """An answer that is none: an error body under HTTP 200, no choices, no JSON."""


class Picture(Record):
    """A PNG that goes with a message: a screenshot of a profiler, a drawn timeline."""

    name: str
    png: bytes
    caption: str = ""


class Message(Record):
    role: Literal["user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()


class Prompt(Record):
    """Everything that a model is shown in one call."""

    system: str
    messages: tuple[Message, ...]


class Usage(Record):
    """Tokens as the provider counts them; ``None`` where it does not say."""

    input_tokens: int | None = None
    """Cached ones included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    """Reasoning included."""
    reasoning_tokens: int | None = None


class Exchange(Record):
    """One call: the exact prompt, the exact answer, how it ended and what it cost. Holds no secret.

    ``key`` names the call within its run (``AUTHOR/TURN/TRY``): a resumed run finds the stored answer under it and does
    not pay again.
    """

    key: str = ""
    model: str
    """``PROVIDER:MODEL``."""
    prompt: Prompt
    status: CallStatus
    answer: str = ""
    detail: str = ""
    """One line that says what went wrong."""
    usage: Usage = Usage()
    cost_usd: float | None = None
    """``None``: unknown, as for a local model or one without a published price."""
    seconds: float = 0.0
    """In requests: waiting for a turn, or before another request, is left out."""
    requests: int = 1
    """HTTP requests sent, repeated ones included."""
    created: str = ""
    """ISO time, UTC."""

    @property
    def ok(self) -> bool:
        return self.status is CallStatus.ANSWERED
