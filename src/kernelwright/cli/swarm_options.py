"""What ``optimize`` is told about the swarm, checked before a run begins."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kernelwright.cli.usage import fail, usage_errors

if TYPE_CHECKING:
    from kernelwright.schema import Text

Swarm = Annotated[
    str | None,
    typer.Option("--swarm", help="Models that work together: seed-2025, today, or your own.", metavar="NAME|FILE.toml"),
]
Policy = Annotated[str, typer.Option(help="How the budget is spent: independent, exchange, bandit.", metavar="POLICY")]
Context = Annotated[
    list[str] | None,
    typer.Option(help="What models are shown: reference, profile, peers, docs; may be repeated.", metavar="PIECE"),
]
Reference = Annotated[
    str | None,
    typer.Option(
        help="An implementation in another language, or the candidate of a stored attempt.", metavar="FILE|RUN/N"
    ),
]
Docs = Annotated[str | None, typer.Option(help="A folder of notes; implies --context docs.", metavar="DIR")]
Analyst = Annotated[
    str, typer.Option(help="Who reads profiles for --context profile: rules or PROVIDER:MODEL.", metavar="NAME")
]
Tries = Annotated[int, typer.Option(help="Failures in a row after which an author is given up on.", min=1)]
Rounds = Annotated[int, typer.Option(help="Correct attempts without a gain after which a model is given up on.", min=1)]
Parallel = Annotated[int, typer.Option(help="Authors that may wait for their models at the same time.", min=1)]
Seed = Annotated[int, typer.Option(help="Of the policy's draws.")]

NOTES = (".md", ".txt", ".rst", ".metal", ".cu", ".cpp", ".h", ".py")
"""What counts as a note."""


def settings(
    policy: str,
    context: list[str] | None,
    reference: str | None,
    docs: str | None,
    analyst: str,
    tries: int,
    rounds: int,
    parallel: int,
    seed: int,
) -> dict[str, Any]:
    """Fields of ``RunSettings``."""
    from kernelwright import analysis
    from kernelwright.cli import given
    from kernelwright.schema import ContextPiece
    from kernelwright.schema import Policy as Policies

    pieces = {given.one_of(ContextPiece, piece, "context") for piece in context or ()}
    if ContextPiece.REFERENCE in pieces and reference is None:
        fail("--context reference needs the implementation: --reference FILE")
    if ContextPiece.DOCS in pieces and docs is None:
        fail("--context docs needs the notes: --docs DIR")
    if reference is not None:
        pieces.add(ContextPiece.REFERENCE)
    if docs is not None:
        pieces.add(ContextPiece.DOCS)
    if ContextPiece.PROFILE in pieces:
        with usage_errors(LookupError):
            analysis.get(analyst)
    return {
        "policy": given.one_of(Policies, policy, "policy"),
        "context": frozenset(pieces),
        "reference": _text(reference) if reference is not None else None,
        "docs": _notes(docs) if docs is not None else (),
        "analyst": analyst,
        "tries": tries,
        "rounds": rounds,
        "parallel": parallel,
        "seed": seed,
    }


def members(swarm: str) -> list[str]:
    """The authors of a preset, or those that a TOML file lists."""
    from kernelwright.models import presets

    with usage_errors(LookupError):
        return list(presets.of_file(Path(swarm)) if swarm.endswith(".toml") else presets.members(swarm))


def _text(path: str) -> "Text":
    """A file, or the candidate of a stored attempt: one that was written, and found correct, in CUDA first, say."""
    from kernelwright.cli import given
    from kernelwright.schema import Text
    from kernelwright.store import NotStoredError

    if Path(path).exists() or not re.fullmatch(r"[\w-]+/\d+", path):
        return Text(name=Path(path).name, text=given.readable_file(path, "reference"))
    with given.store() as store, usage_errors(NotStoredError):
        attempt = store.attempt(path)
    if attempt.candidate is None or not attempt.verdict.ok:
        fail(f"attempt {path} is no reference: its verdict is {attempt.verdict.status}")
    return Text(name=f"{attempt.candidate.target} candidate, correct for its judge", text=attempt.candidate.source)


def _notes(folder: str) -> "tuple[Text, ...]":
    """The folder's notes, its sub-folders' too, by name."""
    from kernelwright.cli import given
    from kernelwright.schema import Text

    if not Path(folder).is_dir():
        fail(f"no such folder of notes: {folder}")
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix in NOTES and path.is_file())
    if not files:
        fail(f"no notes in {folder}: they end in {', '.join(NOTES)}")
    return tuple(
        Text(name=str(path.relative_to(folder)), text=given.readable_file(str(path), "notes")) for path in files
    )
