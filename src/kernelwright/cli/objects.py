"""The objects that ``--json`` prints, apart from the verdict's own. Documented field by field in docs/json.md."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from kernelwright.cli.checks import Check, DeviceCheck
from kernelwright.schema import (
    Attempt,
    BaselineTiming,
    Budget,
    Candidate,
    ContextPiece,
    Outcome,
    Policy,
    Precision,
    Profile,
    Recommendation,
    Record,
    Run,
    RunState,
    Speedup,
    Status,
    Target,
    Usage,
    Verdict,
)
from kernelwright.store import RunSummary

if TYPE_CHECKING:
    from kernelwright.deploy import Profiled


class JsonObject(Record):
    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, ``schema`` first; NaN and infinities are strings."""
        return json.loads(self.model_dump_json(by_alias=True))


class AttemptLine(Record):
    """One attempt in short."""

    id: str
    number: int
    author: str
    title: str
    target: Target | None
    status: Status
    rule: str | None
    speedup: Speedup
    write_seconds: float
    judge_seconds: float
    model_calls: int
    cost_usd: float | None
    context: tuple[ContextPiece, ...]
    base: int | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        candidate, verdict = attempt.candidate, attempt.verdict
        return cls(
            id=attempt.id,
            number=attempt.number,
            author=attempt.author,
            title=candidate.title if candidate else "",
            target=candidate.target if candidate else None,
            status=verdict.status,
            rule=verdict.rule,
            speedup=verdict.speedup,
            write_seconds=attempt.write_seconds,
            judge_seconds=attempt.judge_seconds,
            model_calls=len(attempt.exchanges),
            cost_usd=attempt.cost_usd,
            context=tuple(sorted(attempt.context)),
            base=attempt.base,
        )


class OptimizeResult(Record):
    """One problem's result."""

    problem: str
    path: str | None
    run: str
    state: RunState
    winner: str
    attempt: str | None
    author: str | None
    file: str | None
    speedup: Speedup
    baselines: tuple[BaselineTiming, ...]
    problem_labels: tuple[str, ...]
    attempts: tuple[AttemptLine, ...]
    elapsed_seconds: float

    @classmethod
    def of(cls, run: Run, attempts: tuple[Attempt, ...], file: Path | None) -> Self:
        outcome = run.outcome or Outcome(winner="eager")
        winner = next((a for a in attempts if a.number == outcome.attempt), None)
        return cls(
            problem=run.settings.problem.name,
            path=run.settings.problem.path,
            run=run.id,
            state=run.state,
            winner=outcome.winner,
            attempt=winner.id if winner else None,
            author=winner.author if winner else None,
            file=str(file) if file else None,
            speedup=outcome.speedup,
            baselines=outcome.baselines,
            problem_labels=outcome.problem_labels,
            attempts=tuple(AttemptLine.of(a) for a in attempts),
            elapsed_seconds=run.elapsed_seconds,
        )


class OptimizeObject(JsonObject):
    """``kernelwright optimize --json``."""

    schema_version: Literal["kernelwright.optimize/1"] = Field(default="kernelwright.optimize/1", alias="schema")
    results: tuple[OptimizeResult, ...]


class RunsObject(JsonObject):
    """``kernelwright runs --json``."""

    schema_version: Literal["kernelwright.runs/1"] = Field(default="kernelwright.runs/1", alias="schema")
    runs: tuple[RunSummary, ...]


class ShowRunObject(JsonObject):
    """``kernelwright show RUN --json``."""

    schema_version: Literal["kernelwright.run/1"] = Field(default="kernelwright.run/1", alias="schema")
    id: str
    created: str
    state: RunState
    problem: str
    problem_digest: str
    path: str | None
    target: Target | None
    authors: tuple[str, ...]
    budget: Budget
    precision: Precision
    platform: str
    tries: int
    rounds: int
    policy: Policy
    context: tuple[ContextPiece, ...]
    analyst: str
    elapsed_seconds: float
    outcome: Outcome | None
    attempts: tuple[AttemptLine, ...]

    @classmethod
    def of(cls, run: Run, attempts: tuple[Attempt, ...]) -> Self:
        settings = run.settings
        return cls(
            id=run.id,
            created=run.created,
            state=run.state,
            problem=settings.problem.name,
            problem_digest=settings.problem.digest,
            path=settings.problem.path,
            target=settings.target,
            authors=settings.authors,
            budget=settings.budget,
            precision=settings.precision,
            platform=settings.platform,
            tries=settings.tries,
            rounds=settings.rounds,
            policy=settings.policy,
            context=tuple(sorted(settings.context)),
            analyst=settings.analyst,
            elapsed_seconds=run.elapsed_seconds,
            outcome=run.outcome,
            attempts=tuple(AttemptLine.of(a) for a in attempts),
        )


class ShowAttemptObject(JsonObject):
    """``kernelwright show RUN/NUMBER --json``."""

    schema_version: Literal["kernelwright.attempt/1"] = Field(default="kernelwright.attempt/1", alias="schema")
    id: str
    run: str
    number: int
    author: str
    created: str
    candidate: Candidate | None
    verdict: Verdict
    diff: str
    write_seconds: float
    judge_seconds: float
    exchanges: tuple[str, ...]
    usage: Usage
    cost_usd: float | None
    context: tuple[ContextPiece, ...]
    base: int | None
    recommendation: Recommendation | None

    @classmethod
    def of(cls, attempt: Attempt, diff: str) -> Self:
        fields = {name: getattr(attempt, name) for name in Attempt.model_fields}
        return cls(id=attempt.id, diff=diff, **(fields | {"context": tuple(sorted(attempt.context))}))


class ProfileObject(JsonObject):
    """``kernelwright profile --json``."""

    schema_version: Literal["kernelwright.profile/1"] = Field(default="kernelwright.profile/1", alias="schema")
    problem: str
    candidate: str
    target: Target
    status: Status
    rule: str | None
    profile: Profile | None
    analyst: str
    recommendation: Recommendation | None
    failure: str
    files: tuple[str, ...]

    @classmethod
    def of(cls, done: "Profiled", analyst: str, files: tuple[str, ...]) -> Self:
        verdict, advice, profile = done.verdict, done.advice, done.profile
        return cls(
            problem=verdict.problem,
            candidate=done.candidate.digest,
            target=done.candidate.target,
            status=verdict.status,
            rule=verdict.rule,
            # pictures are files: as text they would be most of the object
            profile=profile.model_copy(update={"pictures": ()}) if profile else None,
            analyst=analyst,
            recommendation=advice.recommendation if advice else None,
            failure=advice.failure if advice else "",
            files=files,
        )


class DoctorObject(JsonObject):
    """``kernelwright doctor --json``."""

    schema_version: Literal["kernelwright.doctor/1"] = Field(default="kernelwright.doctor/1", alias="schema")
    version: str
    python: str
    torch: str | None
    devices: tuple[DeviceCheck, ...]
    compilers: tuple[Check, ...]
    isolation: tuple[Check, ...]
    targets: tuple[Check, ...]
    authors: tuple[Check, ...]
    extras: tuple[Check, ...]
    providers: tuple[Check, ...]
