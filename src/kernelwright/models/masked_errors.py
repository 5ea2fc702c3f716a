"""Errors that come under HTTP 200, as some gateways send them: given the status that they should have had.

Without it the providers' libraries look for events in a body that has none, and report an answer without content.
"""

import json
from typing import Any

from kernelwright.models.failures import message_of


async def unmask(response: Any) -> None:
    """A hook for responses of httpx. All our requests ask for a stream, so a JSON object under 200 is no answer."""
    if response.status_code != 200 or "json" not in response.headers.get("content-type", ""):
        return
    try:
        body = json.loads(await response.aread())
    except ValueError:
        return
    if isinstance(body, dict) and message_of(body):
        error = body.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        response.status_code = code if isinstance(code, int) and 400 <= code < 600 else 500
