"""What the scripts print and store: a line for each file, one for each case that does not agree, a summary."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpora.cases import Outcome
from corpora.compiling import Compiled, total
from figure import machine


def show_compiled(file: Compiled, reason: str = "") -> None:
    """One line; ``reason``: why it is no failure that the file does not compile."""
    if not file.errors:
        print(f"{file.file:36} {file.kernels:5} kernels compile ({file.seconds:.1f} s)", flush=True)
    elif reason:
        print(f"{file.file:36} left out: {reason}", flush=True)
    else:
        print(f"{file.file:36} DOES NOT COMPILE: {file.errors[0]}", flush=True)


def show_outcomes(file: str, outcomes: Sequence[Outcome]) -> None:
    """One line for the file, and one for every case that does not agree."""
    agreeing = [outcome for outcome in outcomes if outcome.agrees]
    worst = max((outcome.error for outcome in agreeing), default=0.0)
    counted = f"{len(agreeing):3} of {len(outcomes):3} cases agree"
    print(f"{file:36} {counted}, largest error {worst:.2f} of what is allowed", flush=True)
    for outcome in outcomes:
        if outcome.problem:
            print(f"    {outcome.case.name}: {outcome.problem}", flush=True)
        elif not outcome.agrees:
            why = outcome.case.inaccurate or "WRONG"
            print(f"    {outcome.case.name}: error {outcome.error:.3g} of what is allowed: {why}", flush=True)
        elif outcome.case.inaccurate:
            print(f"    {outcome.case.name}: agrees, though {outcome.case.inaccurate}", flush=True)


def summary(compiled: Sequence[Compiled], left_out: int, outcomes: Sequence[Outcome], seconds: float) -> str:
    """The last line."""
    parts: list[str] = []
    if compiled:
        files, kernels = total(compiled)
        parts.append(f"{files} of {len(compiled) - left_out} files compile, {kernels} kernels, {left_out} left out")
    if outcomes:
        agreeing = sum(outcome.agrees for outcome in outcomes)
        known = sum(bool(outcome.case.inaccurate) and outcome.expected for outcome in outcomes)
        files = len({outcome.case.file for outcome in outcomes})
        parts.append(f"{agreeing} of {len(outcomes)} cases over {files} files agree")
        parts.append(f"{known} disagree because of the corpus's own formula" if known else "")
    return f"{'; '.join(part for part in parts if part)} (n=1, {seconds:.0f} s, {machine()})"


def store(path: Path, compiled: Sequence[Compiled], outcomes: Sequence[Outcome]) -> None:
    """Everything as one JSON object."""
    cases: list[dict[str, Any]] = [
        {
            "file": outcome.case.file,
            "case": outcome.case.name,
            "kernels": outcome.case.kernels,
            "error": outcome.error if outcome.error < float("inf") else None,
            "agrees": outcome.agrees,
            "problem": outcome.problem,
            "inaccurate": outcome.case.inaccurate,
        }
        for outcome in outcomes
    ]
    data = {"machine": machine(), "files": [asdict(file) for file in compiled], "cases": cases}
    path.write_text(json.dumps(data, indent=1) + "\n")
