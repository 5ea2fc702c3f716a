"""Where calls of models are kept."""

from dataclasses import dataclass, field
from typing import Protocol

from kernelwright.schema import Exchange


class Journal(Protocol):
    """Keeps every call, so that a resumed run pays for none of them twice. Used from several threads."""

    def find(self, key: str) -> Exchange | None:
        """The stored call of that key."""
        ...

    def keep(self, exchange: Exchange) -> None:
        """Store a call that has just ended; it is on disk when this returns."""
        ...


@dataclass
class MemoryJournal:
    """Keeps calls as long as the process lives."""

    exchanges: dict[str, Exchange] = field(default_factory=dict[str, Exchange])

    def find(self, key: str) -> Exchange | None:
        return self.exchanges.get(key)

    def keep(self, exchange: Exchange) -> None:
        self.exchanges[exchange.key] = exchange
