"""The forms of a problem that authors start from: its graph, and the cheapest graph that the rewriter finds.

Each is made once in a process and shared by all that ask, since a capture takes a second or more and a saturation up to
a minute. What is handed out is frozen, or a copy; the module behind a capture is only read.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from kernelwright.authors.author import AuthorError
from kernelwright.schema import Problem

if TYPE_CHECKING:
    from kernelwright.authors.graph.capture import Captured
    from kernelwright.authors.rewriter.saturate import Rewritten

Found = TypeVar("Found")

MOST_CAPTURED = 4
"""Problems worked on side by side. A capture may hold the module's weights, where these have values."""
MOST_REWRITTEN = 4 * MOST_CAPTURED
"""Small, and several for each problem: under all rules, and under some."""


@dataclass
class _Entry(Generic[Found]):
    """One answer, or why there is none. The lock is held while it is found out."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    found: Found | None = None
    refusal: str | None = None


class Once(Generic[Found]):
    """The ``most`` answers that were asked for last. Who asks for one that is being found out waits for it.

    An ``AuthorError`` is an answer, and raised anew each time; after any other error the next one to ask tries again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry[Found]] = OrderedDict()

    def get(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """The answer under this key, from ``find`` where there is none yet."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.found is None and entry.refusal is None:
                try:
                    entry.found = find()
                except AuthorError as error:
                    entry.refusal = str(error)  # the error itself would keep alive what stood in the frames it passed
        if entry.found is None:
            raise AuthorError(entry.refusal)
        return entry.found


_CAPTURED: "Once[Captured]" = Once(MOST_CAPTURED)
_REWRITTEN: "Once[Rewritten]" = Once(MOST_REWRITTEN)
BUILDING = threading.Lock()
"""Problems are built under seeds of the process's own generator: one at a time."""


def captured(problem: Problem) -> "Captured":
    """The Problem's reference as a graph, without the program that it was lowered from. Raises ``AuthorError``."""

    def capture() -> "Captured":
        from kernelwright.authors.graph.capture import capture_problem

        with BUILDING:
            return replace(capture_problem(problem), program=None)

    shared = _CAPTURED.get(problem.digest, capture)
    return replace(shared, interface=copy.deepcopy(shared.interface), constants=dict(shared.constants))


def rewritten(problem: Problem, platform: str, rules: Sequence[str] | None = None) -> "Rewritten":
    """The cheapest graph on this platform under the rules of these names (all of them by default).

    The captured graph itself, at its own cost, where no rule lowers that. Raises ``AuthorError``.
    """
    from kernelwright.authors.rewriter.rules import ALL

    names = tuple(rule.name for rule in ALL) if rules is None else tuple(rules)

    def rewrite() -> "Rewritten":
        from kernelwright.authors.rewriter.calibrated import machine_for
        from kernelwright.authors.rewriter.process import rewrite_in_child
        from kernelwright.authors.rewriter.saturate import Bounds

        graph = captured(problem).graph
        if any(node.attr.get("impure") for node in graph.nodes):
            raise AuthorError("the module draws random numbers")
        found = rewrite_in_child(graph, names, machine_for(platform), Bounds())
        if found is None:
            raise AuthorError("the rewriter ran out of time")
        return found

    return _REWRITTEN.get((problem.digest, platform, names), rewrite)
