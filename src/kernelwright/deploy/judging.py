"""``kernelwright.judge``: the verdict on one candidate in one call."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from kernelwright.authors.file import detect_target
from kernelwright.problems import from_file, from_module
from kernelwright.schema import Candidate, Precision, Problem, Target, Verdict

ProblemLike = str | Path | Problem | tuple[nn.Module, Sequence[Any]]


def judge(
    problem: ProblemLike,
    source: str | Path,
    target: str | Target | None = None,
    *,
    precision: str | Precision = "strict",
    timing: bool = True,
    unsafe: bool = False,
    platform: str | None = None,
) -> Verdict:
    """Build, check and time one candidate.

    ``problem``: a problem file's path, a ``Problem``, or ``(module, inputs)``. ``source``: the text of a file that
    defines ``ModelNew``, or its path as a ``Path``. ``target``: the language it is written in; by default read off
    the source. ``timing=False`` answers in a fraction of the time, without speedups. ``unsafe`` runs the candidate
    although nothing isolates it. ``platform``: ``cpu``, ``cuda`` or ``mps``; by default the best one of this machine.

    Whatever the candidate does is in the verdict. Raises ``ProblemError`` for a problem that breaks its format's
    contract, ``ValueError`` for an unknown precision or target, ``LookupError`` for an unknown platform, ``OSError``
    for a file that cannot be read.
    """
    from kernelwright import platforms
    from kernelwright.judge import JudgeSession, JudgeSettings

    settings = JudgeSettings(precision=Precision(precision), timing=timing, unsafe=unsafe)
    candidate = as_candidate(source, target, author="judge")
    with JudgeSession(as_problem(problem), platforms.get(platform), settings) as session:
        return session.judge(candidate)


def as_candidate(source: str | Path, target: str | Target | None, author: str) -> Candidate:
    """Raises ``ValueError`` for an unknown target, ``OSError`` for a file that cannot be read."""
    text = source.read_text() if isinstance(source, Path) else source
    return Candidate(source=text, author=author, target=Target(target) if target else _target_of(text))


def as_problem(problem: ProblemLike) -> Problem:
    """Raises ``ProblemError`` with one line."""
    if isinstance(problem, Problem):
        return problem
    if isinstance(problem, tuple):
        module, inputs = problem
        return from_module(module, inputs)
    return from_file(problem)


def _target_of(source: str) -> Target:
    try:
        return detect_target(ast.parse(source))
    except (SyntaxError, ValueError):
        return Target.TORCH  # the judge says what is wrong with the text
