"""Turns: one author after the other, however well each does."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors import Author, waits
from kernelwright.swarm.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Turns:
    """Round-robin, going on after the author who was asked last.

    Those that wait for somebody else begin before those that compute, for then nothing has to wait for them.
    """

    shows_peers: bool

    def choose(self, ledger: Ledger, active: Sequence[Author], idle: Sequence[Author]) -> Author | None:
        """The first idle author after the one who was asked last."""
        names = [author.name for author in ledger.authors]
        start = names.index(ledger.last_asked) + 1 if ledger.last_asked in names else 0
        order = names[start:] + names[:start]
        return min(idle, key=lambda author: (not waits(author), order.index(author.name)), default=None)
