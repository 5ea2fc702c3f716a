"""One attempt: its verdict, its source, and what it changed against the reference."""

import difflib

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from kernelwright.report import words
from kernelwright.report.transcript import tokens
from kernelwright.report.verdict import verdict_view
from kernelwright.schema import Attempt, Problem


def diff_to_reference(problem: Problem, attempt: Attempt) -> str:
    """A unified diff from the problem's file to the candidate; empty where either has no text."""
    if not problem.source or attempt.candidate is None:
        return ""
    before, after = (text.splitlines() for text in (problem.source, attempt.candidate.source))
    return "\n".join(difflib.unified_diff(before, after, f"{problem.name} (reference)", attempt.id, lineterm=""))


def attempt_view(problem: Problem, attempt: Attempt) -> RenderableType:
    candidate = attempt.candidate
    facts = Table.grid(padding=(0, 2))
    facts.add_row("author", Text(attempt.author))
    if candidate is not None:
        facts.add_row("candidate", Text(candidate.title or candidate.digest[:12]))
        facts.add_row("why", Text(candidate.explanation or "–"))
    facts.add_row("created", attempt.created)
    facts.add_row(
        "written in", f"{words.seconds(attempt.write_seconds)}, judged in {words.seconds(attempt.judge_seconds)}"
    )
    if attempt.exchanges:
        facts.add_row(
            "calls of models", f"{len(attempt.exchanges)}, {tokens(attempt.usage)}, {words.cost(attempt.cost_usd)}"
        )
    if attempt.context:
        facts.add_row("was shown", ", ".join(sorted(attempt.context)))
    if attempt.base is not None:
        facts.add_row("sets out from", f"attempt {attempt.base}")
    if attempt.recommendation is not None:
        facts.add_row("was advised", Text(attempt.recommendation.change))
    artifacts = attempt.verdict.artifacts
    if artifacts:
        facts.add_row("artifacts", Text(", ".join(artifacts)))
    parts: list[RenderableType] = [facts, verdict_view(attempt.verdict, attempt.id)]
    if candidate is not None:
        parts += [
            Text("source", style="bold"),
            Syntax(candidate.source, "python", background_color="default", word_wrap=True),
        ]
    diff = diff_to_reference(problem, attempt)
    if diff:
        parts += [
            Text("diff to the reference", style="bold"),
            Syntax(diff, "diff", background_color="default", word_wrap=True),
        ]
    elif candidate is not None:
        parts.append(Text("no diff: the problem has no source text", style="dim"))
    return Group(*parts)
