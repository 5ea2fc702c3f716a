"""``kernelwright show``: one run or one attempt in full."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kernelwright.cli import options
from kernelwright.cli.usage import fail, usage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from kernelwright.schema import Attempt, Run
    from kernelwright.store import Store


def show(
    name: Annotated[str, typer.Argument(metavar="RUN|ATTEMPT", help="A run's id, or RUN/NUMBER for an attempt.")],
    *,
    artifact: Annotated[str | None, typer.Option(help="Print one artifact of an attempt.", metavar="NAME")] = None,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Print what an attempt's models were shown and what they answered.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show a run with its attempts, or an attempt: verdict, source, artifacts, diff to the reference."""
    from kernelwright.cli import given
    from kernelwright.store import NotStoredError

    if artifact is not None and as_json:
        fail("--artifact prints the artifact itself: leave --json away (the object holds every artifact)")
    if transcript and (as_json or "/" not in name):
        fail("--transcript prints the calls of one attempt: kernelwright show RUN/NUMBER --transcript")
    with given.store() as store, usage_errors(NotStoredError):
        if transcript:
            _show_transcript(store, name)
        elif "/" in name:
            _show_attempt(store, name, artifact, as_json)
        elif artifact is not None:
            fail(f"--artifact needs an attempt: kernelwright show {name}/NUMBER --artifact {artifact}")
        else:
            _show_run(store, name, as_json)


def _show_run(store: "Store", name: str, as_json: bool) -> None:
    from kernelwright.cli import output
    from kernelwright.cli.objects import ShowRunObject
    from kernelwright.report import run_view

    run, attempts = store.run(name), store.attempts(name)
    if as_json:
        output.print_object(ShowRunObject.of(run, attempts).to_json())
    else:
        output.print_rich(run_view(run, attempts), *_scores(store, run, attempts))


def _scores(store: "Store", run: "Run", attempts: "tuple[Attempt, ...]") -> "Iterator[RenderableType]":
    """How good the recommendations were, where attempts followed any."""
    bases = {attempt.base for attempt in attempts if attempt.recommendation is not None and attempt.base is not None}
    if not bases:
        return
    from kernelwright.analysis import predictions, scores
    from kernelwright.report import scores_table

    advice = filter(None, (store.advice(run.id, number) for number in sorted(bases)))
    found = scores(predictions(attempts, advice, run.settings.analyst))
    if found:
        yield scores_table(found)


def _show_attempt(store: "Store", name: str, artifact: str | None, as_json: bool) -> None:
    from kernelwright.cli import output
    from kernelwright.cli.objects import ShowAttemptObject
    from kernelwright.report import attempt_view, diff_to_reference

    attempt = store.attempt(name)
    if artifact is not None:
        artifacts = attempt.verdict.artifacts
        if artifact not in artifacts:
            fail(f"attempt {name} has no artifact {artifact!r}: there are {', '.join(artifacts) or 'none'}")
        sys.stdout.write(artifacts[artifact])
        return
    problem = store.run(attempt.run).settings.problem
    if as_json:
        output.print_object(ShowAttemptObject.of(attempt, diff_to_reference(problem, attempt)).to_json())
    else:
        output.print_rich(attempt_view(problem, attempt))


def _show_transcript(store: "Store", name: str) -> None:
    from kernelwright.cli import output
    from kernelwright.report import transcript_view

    attempt = store.attempt(name)
    found = [store.exchange(attempt.run, key) for key in attempt.exchanges]
    if not found:
        fail(f"attempt {name} asked no model: {attempt.author} wrote it")
    output.print_rich(transcript_view([exchange for exchange in found if exchange is not None]))
