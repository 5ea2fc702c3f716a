"""From whatever pydantic-ai or a provider's library raises to a typed outcome."""

import json
import re

from pydantic_ai import exceptions as ai

from kernelwright.models.outcome import RequestOutcome
from kernelwright.schema import CallStatus

_LONGEST_DETAIL = 300
_OVERFLOW = re.compile(
    r"context.{0,12}(length|window|size)|maximum.{0,20}tokens|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
_STATUS: tuple[tuple[type[BaseException], CallStatus], ...] = (
    (ai.ContentFilterError, CallStatus.REFUSED),
    (ai.OutputTokenLimitExceeded, CallStatus.CUT_OFF),
    (ai.ModelContextWindowExceededError, CallStatus.CONTEXT_OVERFLOW),
    (ai.ModelQuotaExceededError, CallStatus.OUT_OF_CREDIT),
    (ai.ModelRateLimitError, CallStatus.RATE_LIMITED),
    (ai.ModelAuthenticationError, CallStatus.UNAUTHORIZED),
    (ai.ModelRequestRejectedError, CallStatus.INVALID_REQUEST),
    (ai.ModelTimeoutError, CallStatus.TIMED_OUT),
    (ai.ModelRequestTimeout, CallStatus.TIMED_OUT),
    (ai.ModelConnectionError, CallStatus.UNAVAILABLE),
    (ai.ModelUnavailableError, CallStatus.UNAVAILABLE),
    (ai.ModelServerError, CallStatus.UNAVAILABLE),
    (TimeoutError, CallStatus.TIMED_OUT),
    (ConnectionError, CallStatus.UNAVAILABLE),
)
"""The first class that fits. Everything else is an answer that is none."""


def outcome_of(error: Exception, partial: str) -> RequestOutcome:
    """``partial``: what had arrived of the answer. With some of it there, the connection was lost in its middle."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), CallStatus.MALFORMED)
    if status is CallStatus.INVALID_REQUEST and _OVERFLOW.search(str(error)):
        status = CallStatus.CONTEXT_OVERFLOW  # servers of one's own have no error code for it
    if partial and status in (CallStatus.UNAVAILABLE, CallStatus.MALFORMED):
        status = CallStatus.CUT_OFF
    after = error.retry_after if isinstance(error, ai.ModelAPIError) else None
    return RequestOutcome(status, answer=partial, detail=one_line(_said(error)), retry_after=after)


def one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_DETAIL]


def _said(error: Exception) -> str:
    """The provider's own words where it has some."""
    body = getattr(error, "body", None)
    if isinstance(error, ai.ModelHTTPError):
        return f"HTTP {error.status_code}: {message_of(body) or error.message}"
    return message_of(body) or str(error) or type(error).__name__


def message_of(body: object) -> str:
    """The words in an error's body, as the providers wrap them; empty where there are none."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return str(body)
    if isinstance(body, list) and body:
        body = body[0]  # Google
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, dict) else inner
        return str(found or "")
    return ""
