"""Problems as values: enough to load one in another process, and to find it again later."""

import hashlib

from kernelwright.schema.base import Record


class Problem(Record):
    """What is to be made fast.

    ``format`` names the loader (``kernelbench``, ``module``, or one that another package registered under
    ``kernelwright.problems``). ``source`` is the text of the problem file, where there is one. ``payload`` is what a
    loader needs beyond text (for ``module``: the pickled module and its example inputs). ``path`` is where it came
    from, for messages only: a problem is its content.
    """

    name: str
    format: str
    source: str = ""
    payload: bytes = b""
    path: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over format, source and payload, hex."""
        h = hashlib.sha256()
        for part in (self.format.encode(), self.source.encode(), self.payload):
            h.update(len(part).to_bytes(8, "little"))
            h.update(part)
        return h.hexdigest()


class ProblemError(ValueError):
    """The problem breaks its format's contract. The message is one line that names what is missing."""
