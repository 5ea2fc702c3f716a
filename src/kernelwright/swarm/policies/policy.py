"""What a policy is."""

from collections.abc import Sequence
from typing import Protocol

from kernelwright.authors import Author
from kernelwright.swarm.ledger import Ledger


class Policy(Protocol):
    """Says who is asked next. What it says depends on the ledger, and on draws of its own."""

    @property
    def shows_peers(self) -> bool:
        """Whether authors see the best kernels of the others."""
        ...

    def choose(self, ledger: Ledger, active: Sequence[Author], idle: Sequence[Author]) -> Author | None:
        """One of the ``idle`` authors, or ``None`` to wait for one of those that write.

        ``active``: all that have not dropped out, those that write just now included.
        """
        ...
