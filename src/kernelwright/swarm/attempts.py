"""From what an author wrote and what the judge said to the record that is stored."""

from datetime import UTC, datetime

from kernelwright.authors import Proposal, Task
from kernelwright.schema import Attempt, ContextPiece, Exchange, Run, Status, Usage, Verdict


def not_written(task: Task, why: str) -> Verdict:
    """The verdict on an author that came up with no candidate."""
    return Verdict(
        status=Status.GENERATION_FAILED,
        rule="generation",
        precision=task.precision,
        platform=task.platform,
        device=task.facts.name,
        problem=task.problem.name,
        feedback=why,
    )


def as_attempt(
    run: Run, number: int, author: str, proposal: Proposal, verdict: Verdict, task: Task, seconds: tuple[float, float]
) -> Attempt:
    """``seconds``: for writing, and for judging."""
    followed = task.advice if ContextPiece.PROFILE in proposal.context else None
    return Attempt(
        run=run.id,
        number=number,
        author=author,
        candidate=proposal.candidate,
        verdict=verdict,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        write_seconds=seconds[0],
        judge_seconds=seconds[1],
        exchanges=tuple(exchange.key for exchange in proposal.exchanges),
        usage=_total(proposal.exchanges),
        cost_usd=_cost(proposal.exchanges),
        context=proposal.context,
        base=proposal.base,
        recommendation=followed.recommendation if followed else None,
    )


def _total(exchanges: tuple[Exchange, ...]) -> Usage:
    """Tokens of all calls; of each kind ``None`` where no call says."""

    def added(counts: list[int | None]) -> int | None:
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    return Usage(
        input_tokens=added([exchange.usage.input_tokens for exchange in exchanges]),
        cached_tokens=added([exchange.usage.cached_tokens for exchange in exchanges]),
        output_tokens=added([exchange.usage.output_tokens for exchange in exchanges]),
        reasoning_tokens=added([exchange.usage.reasoning_tokens for exchange in exchanges]),
    )


def _cost(exchanges: tuple[Exchange, ...]) -> float | None:
    """Dollars; ``None`` where one of the calls has no known price, though it was answered."""
    total = 0.0
    for exchange in exchanges:
        if exchange.cost_usd is not None:
            total += exchange.cost_usd
        elif exchange.answer:
            return None
    return total
