"""The prompt for an author's next Attempt: from the Task and its history alone, so that a resumed run asks the same.

The system prompt holds what stays the same over a run (target, rules, device, example), the first message the problem;
providers keep such beginnings in their caches. Then comes one candidate as if the model had just written it, the last
one that failed or the best one that is correct, and a message about it. Everything older is one line each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.authors.author import Task
from kernelwright.authors.language_model import figures, wording
from kernelwright.authors.language_model.interface import interface_of, written_out
from kernelwright.authors.language_model.pieces import Pieces
from kernelwright.authors.language_model.templates import Templates, worked_example
from kernelwright.schema import Attempt, CallStatus, ContextPiece, Message, Prompt, Target

MOST_LINES = 15
"""Older Attempts that are listed, one line each."""
FEEDBACK_CHARACTERS = 6_000
SOURCE_CHARACTERS = 60_000

_CORES = {"cpu": "cores", "cuda": "streaming multiprocessors", "mps": "GPU cores"}
_PACKAGES = {
    Target.TRITON: "torch, the standard library and triton",
    Target.CUDA: "torch, the standard library, cuda and triton",
}
_TOLD = frozenset({CallStatus.EMPTY, CallStatus.REFUSED, CallStatus.CUT_OFF})
"""Calls that ended so are the model's own doing, and it is told; of the others it knows nothing."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One prompt, and what the answer to it will be held against."""

    prompt: Prompt
    shown: Attempt | None
    """Whose candidate stands last in it: changes in the answer are changes to this one."""
    context: frozenset[ContextPiece]
    """What the prompt holds of what can be switched off."""


def measure(target: Target, platform: str) -> str:
    """How candidates are compared: ``timed``; ``counted`` for Metal without a Mac; ``checked``, and not compared, for
    Triton without a GPU.
    """
    from kernelwright.judge.interpreter import timed

    if timed(target, platform):
        return "timed"
    return "counted" if target is Target.METAL else "checked"


def next_conversation(
    task: Task, target: Target, history: Sequence[Attempt], base: Attempt | None, templates: Templates
) -> Conversation:
    """What the model is asked next. ``base``: the best Attempt, to set out from; ``None`` while nothing works.

    Raises ``AuthorError`` where a user's own template does not work.
    """
    pieces = Pieces.of(task, target, 0.5 ** _overflows(history))
    shown = base or next((a for a in reversed(history) if a.candidate is not None), None)
    common = common_values(task, target)
    opening = templates.render("task", common | pieces.stable)
    peers = templates.render("peers", common | pieces.peers) if pieces.peers["peers"] else ""
    context = set(pieces.context)
    if base is None:
        profile: dict[str, Any] = {}
        about = templates.render("feedback", common | _failed(history, shown)) if history else ""
    else:
        profile = pieces.profile_of(base)
        about = templates.render("optimise", common | _reached(history, base) | profile)
    if profile.get("profile") or profile.get("recommendation"):
        context.add(ContextPiece.PROFILE)
    closing = "\n\n".join(part for part in (peers, about) if part)
    return Conversation(
        Prompt(system=templates.render("system", common), messages=_messages(opening, shown, closing)),
        shown,
        frozenset(context),
    )


def _messages(opening: str, shown: Attempt | None, closing: str) -> tuple[Message, ...]:
    if shown is None or shown.candidate is None:
        return (Message(role="user", text="\n\n".join(part for part in (opening, closing) if part)),)
    said = figures.fence(shown.candidate.source, "python")
    if shown.candidate.explanation:
        said = f"{shown.candidate.explanation}\n\n{said}"
    return (
        Message(role="user", text=opening),
        Message(role="assistant", text=said),
        Message(role="user", text=closing),
    )


def common_values(task: Task, target: Target) -> dict[str, Any]:
    """What the pages about target, rules, device and task are filled with, whoever reads them."""
    from kernelwright.metal.apple_gpus import APPLE_GPUS

    problem, candidate = worked_example(target)
    return {
        "target": target.value,
        "platform": task.platform,
        "precision": task.precision.value,
        "measure": measure(target, task.platform),
        "packages": _PACKAGES.get(target, "torch and the standard library"),
        "device": "mps" if target is Target.METAL else task.platform,
        "facts": task.facts,
        "core_word": _CORES.get(task.facts.platform, "cores"),
        "apple_gpus": [gpu for gpu in APPLE_GPUS if " " not in gpu.name],  # without Pro, Max and Ultra
        "example_problem": problem,
        "example_candidate": candidate,
        "problem": task.problem,
        "problem_source": figures.shortened(task.problem.source, SOURCE_CHARACTERS),
        "written_out": "" if task.problem.format == "kernelbench" else written_out(task.problem),
        "interface": interface_of(task.problem),
    }


def _failed(history: Sequence[Attempt], shown: Attempt | None) -> dict[str, Any]:
    """For the functional pass: what is wrong with the last candidate, and what was tried before it."""
    return {
        "shown": _verdict(shown) if shown is not None else None,
        "unusable": _unusable(history),
        **_older(history, leave_out=shown),
    }


def _reached(history: Sequence[Attempt], base: Attempt) -> dict[str, Any]:
    """For the optimisation pass: the best Attempt, what the last one did to it, and the way there."""
    return {
        "base": {"number": wording.turn(history, base), "standing": wording.standing_of(base)},
        "last": _last_change(history, base),
        "unusable": _unusable(history),
        **_older(history, leave_out=base if len(history) == 1 else None),
    }


def _verdict(attempt: Attempt) -> dict[str, Any]:
    verdict = attempt.verdict
    return {
        "status": verdict.status.value,
        "rule": verdict.rule or "",
        "feedback": figures.shortened(verdict.feedback.strip(), FEEDBACK_CHARACTERS),
        "warnings": verdict.warnings,
        "no_kernel": "launches_no_kernel" in verdict.labels,
    }


def _last_change(history: Sequence[Attempt], base: Attempt) -> dict[str, Any] | None:
    """What became of the last Attempt that has a candidate; ``None`` where that is the first one that worked."""
    last = next((a for a in reversed(history) if a.candidate is not None), None)
    if last is None or (last is base and base.base is None):
        return None
    before = next((a for a in history if a.number == last.base), None)
    number = wording.turn(history, last)
    said = {"what": f"Attempt {number} {wording.outcome(history, last)}", "summary": f"Attempt {number}", "diff": ""}
    feedback = "" if last.verdict.ok else figures.shortened(last.verdict.feedback.strip(), FEEDBACK_CHARACTERS)
    if last is not base and before is not None:
        said["diff"] = wording.diff(before, last)
    if last is base:
        said["what"] += " It is the candidate above."
    return {**said, "feedback": feedback}


def _older(history: Sequence[Attempt], leave_out: Attempt | None) -> dict[str, Any]:
    lines = [wording.line(history, attempt) for attempt in history if attempt is not leave_out]
    return {"earlier": lines[-MOST_LINES:], "earlier_left_out": max(0, len(lines) - MOST_LINES)}


def _unusable(history: Sequence[Attempt]) -> str:
    """Why the last answer gave no candidate, as far as its author can do something about it."""
    if not history or history[-1].candidate is not None:
        return ""
    said = history[-1].verdict.feedback
    status = _call_status(history[-1])
    return said.rstrip(".") if status is None or status in _TOLD else ""


def _call_status(attempt: Attempt) -> CallStatus | None:
    """How the call ended that gave no candidate: the author says so in the line that became the feedback."""
    if attempt.candidate is not None:
        return None
    first = attempt.verdict.feedback.partition(": ")[0]
    return CallStatus(first) if first in set(CallStatus) else None


def _overflows(history: Sequence[Attempt]) -> int:
    """How many calls did not fit into the model's context: each halves what may be left out, from then on."""
    return sum(_call_status(attempt) is CallStatus.CONTEXT_OVERFLOW for attempt in history)
