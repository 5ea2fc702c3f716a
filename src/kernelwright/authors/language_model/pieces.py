"""What can be switched off in a prompt: a reference, notes, peers' kernels, the profile. Each is bounded in size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from kernelwright.authors.author import Task
from kernelwright.authors.language_model import figures, wording
from kernelwright.schema import Advice, Attempt, ContextPiece, Target, Text

REFERENCE_CHARACTERS = 40_000
DOCS_CHARACTERS = 40_000
"""Of all pages together."""
PEER_CHARACTERS = 20_000
MOST_PEERS = 3
MOST_OPERATIONS = 10
MOST_COUNTERS = 20
MOST_WASTEFUL_LINES = 8

_LANGUAGES = {
    ".cu": "cuda",
    ".cuh": "cuda",
    ".cpp": "cpp",
    ".cc": "cpp",
    ".h": "cpp",
    ".metal": "metal",
    ".py": "python",
}


@dataclass(frozen=True, slots=True)
class Pieces:
    """Values for the templates; a piece that is switched off or has nothing in it is empty."""

    stable: dict[str, Any]
    """``reference`` and ``docs``: the same over a run, so that they stand in front."""
    peers: dict[str, Any]
    context: frozenset[ContextPiece]
    """Those of ``stable`` and ``peers`` that are not empty."""
    advice: Advice | None

    @classmethod
    def of(cls, task: Task, target: Target, scale: float = 1.0) -> "Pieces":
        """What the Task allows. ``scale``: of all bounds, where the model's context has proved too small."""
        reference = task.reference if ContextPiece.REFERENCE in task.context else None
        if reference is not None and not reference.text.strip():
            reference = None
        pages, left_out = _pages(task.docs if ContextPiece.DOCS in task.context else (), scale)
        peers = [_peer(attempt, scale) for attempt in _peers(task)]
        found = {
            ContextPiece.REFERENCE: reference is not None,
            ContextPiece.DOCS: bool(pages),
            ContextPiece.PEERS: bool(peers),
        }
        text = "" if reference is None else figures.shortened(reference.text, int(scale * REFERENCE_CHARACTERS))
        return cls(
            stable={
                "reference": reference,
                "reference_text": text,
                "reference_language": "" if reference is None else _language(reference),
                "docs": pages,
                "docs_left_out": left_out,
            },
            peers={"peers": peers},
            context=frozenset(piece for piece, there in found.items() if there),
            advice=task.advice if ContextPiece.PROFILE in task.context else None,
        )

    def profile_of(self, base: Attempt) -> dict[str, Any]:
        """``profile`` and ``recommendation`` where the analyst speaks of this very Attempt."""
        advice = self.advice if self.advice is not None and self.advice.about == base.number else None
        profile = advice.profile if advice else None
        accesses = [a for kernel in profile.metal.kernels for a in kernel.accesses] if profile and profile.metal else []
        wasteful = [a for a in accesses if a.transactions > a.ideal_transactions > 0]
        wasteful.sort(key=lambda a: a.ideal_transactions - a.transactions)
        return {
            "profile": profile,
            "recommendation": advice.recommendation if advice else None,
            "operations": profile.operations[:MOST_OPERATIONS] if profile else (),
            "counters": list(profile.counters.items())[:MOST_COUNTERS] if profile else (),
            "wasteful": wasteful[:MOST_WASTEFUL_LINES],
        }


def _pages(docs: Sequence[Text], scale: float) -> tuple[list[Text], list[str]]:
    """Whole pages as long as there is room, the next one cut, and the names of those that are left out."""
    room = int(scale * DOCS_CHARACTERS)
    pages: list[Text] = []
    left_out: list[str] = []
    for page in docs:
        text = page.text.strip()
        if not text:
            continue
        if room < 200:  # not worth a heading
            left_out.append(page.name)
            continue
        pages.append(Text(name=page.name, text=figures.shortened(text, room)))
        room -= len(text)
    return pages, left_out


def _peers(task: Task) -> Sequence[Attempt]:
    shown = task.peers if ContextPiece.PEERS in task.context else ()
    return [attempt for attempt in shown if attempt.candidate is not None][:MOST_PEERS]


def _peer(attempt: Attempt, scale: float) -> dict[str, str]:
    assert attempt.candidate is not None
    return {
        "name": attempt.author,
        "title": attempt.candidate.title,
        "standing": wording.standing_of(attempt) or "correct",
        "source": figures.shortened(attempt.candidate.source, int(scale * PEER_CHARACTERS)),
    }


def _language(reference: Text) -> str:
    return _LANGUAGES.get(PurePath(reference.name).suffix.lower(), "")
