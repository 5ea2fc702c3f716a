"""In which ways the files of the ``templates`` authors are tried, by what became of those before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kernelwright.authors.standing import best
from kernelwright.schema import Attempt, Status


@dataclass(frozen=True, slots=True)
class Way:
    """How a file is written and called."""

    replayed: bool = False
    """As one CUDA graph."""
    halves: bool = True
    """With convolutions in float16, where PyTorch's are in tf32."""
    sure: bool = False
    """With matrix products and convolutions alone: the templates whose gain is large and known."""


def next_way(history: Sequence[Attempt], *, replays: bool = True, halves: bool = True) -> Way | None:
    """The way to try next; ``None`` after the last.

    ``replays``, ``halves``: whether a CUDA graph, and whether convolutions in float16, are worth a try.

    The file with every template as it is, then replayed, then the sure templates alone in the better of these two. An
    inexact file is written once more without convolutions in float16, and so are those after it; where one is inexact
    even so, the sure templates alone come next.
    """
    way: Way | None = Way(halves=halves)
    tried: list[tuple[Way, Attempt]] = []
    for attempt in history:
        if way is None:
            break
        tried.append((way, attempt))
        inexact = attempt.verdict.status is Status.MISMATCH
        if inexact and way.halves:
            way = replace(way, halves=False)
        elif way.sure:
            way = None
        elif way.replayed or inexact or not replays:
            way = Way(_better(tried).replayed, way.halves, sure=True)
        else:
            way = replace(way, replayed=True)
    return way


def _better(tried: Sequence[tuple[Way, Attempt]]) -> Way:
    """Of ways that noise does not tell apart, or where none works, the first."""
    standing = best([attempt for _, attempt in tried])
    return next((way for way, attempt in tried if attempt is standing), tried[0][0])
