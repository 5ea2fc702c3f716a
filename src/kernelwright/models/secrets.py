"""Keys never leave the client: whatever is stored, shown or logged goes through here first."""

from collections.abc import Iterable

HIDDEN = "[key]"
_SHORTEST = 6
"""Shorter values are no secrets, and hiding them would tear words apart."""


def hidden(text: str, secrets: Iterable[str | None]) -> str:
    """The text without the secrets."""
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text
