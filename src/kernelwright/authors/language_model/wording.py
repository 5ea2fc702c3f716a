"""How Attempts are put into words: how fast one is, what became of one, one line for each. Imports no torch."""

import difflib
from collections.abc import Sequence

from kernelwright.authors import standing
from kernelwright.authors.language_model import figures
from kernelwright.schema import Attempt

DIFF_LINES = 120
"""Longer changes are told by their title and outcome alone."""


def outcome(history: Sequence[Attempt], attempt: Attempt) -> str:
    """How an Attempt stands to the one that it set out from, as a sentence without its subject."""
    verdict = attempt.verdict
    if not standing.works(attempt):
        rule = f" ({verdict.rule})" if verdict.rule else ""
        return f"failed: {verdict.status.value}{rule}." if not verdict.ok else "launched no kernel."
    before = next((a for a in history if a.number == attempt.base), None)
    found = standing.gain(attempt, before) if before is not None else None
    if before is None or found is None:
        return f"is correct{_in_brief(attempt)}."
    kept = "kept" if found.faster else "not kept"
    word = "faster" if found.faster else "slower" if found.slower else "the same within noise"
    how = "measured" if found.measured else "by modelled time"
    return f"ran {figures.interval(found.ratio)} × as fast as attempt {turn(history, before)} ({how}): {word}, {kept}."


def _in_brief(attempt: Attempt) -> str:
    verdict = attempt.verdict
    if verdict.speedup.eager is not None:
        return f": {figures.interval(verdict.speedup.eager)} × as fast as eager"
    modelled = verdict.metal.modelled if verdict.metal is not None else ()
    return f": {figures.milliseconds(modelled[0].ms)} at best on an {modelled[0].gpu} by the model" if modelled else ""


def standing_of(attempt: Attempt) -> str:
    """How fast a correct Attempt is, in one or two sentences: times and ratios, or counted work."""
    verdict = attempt.verdict
    if verdict.timing is not None:
        said = [f"It takes {figures.interval(verdict.timing.candidate_ms)} ms a call"]
        if verdict.speedup.eager is not None:
            said.append(f"{figures.interval(verdict.speedup.eager)} × as fast as eager")
        if verdict.speedup.best_baseline is not None and verdict.speedup.best_baseline_name not in (None, "eager"):
            ratio, name = verdict.speedup.best_baseline, verdict.speedup.best_baseline_name
            said.append(f"{figures.interval(ratio)} × as fast as the best baseline, {name}")
        text = ", ".join(said) + "."
        limits = verdict.limits
        if limits is not None and limits.byte_share is not None:
            floor, share = figures.milliseconds(limits.byte_floor_ms), figures.percent(limits.byte_share)
            text += (
                f" Reading inputs and weights and writing outputs once takes at least {floor} here: "
                f"it reaches {share} of that limit"
            )
            if limits.work_floor_ms > 0 and limits.work_share is not None:
                share, floor = figures.percent(limits.work_share), figures.milliseconds(limits.work_floor_ms)
                text += (
                    f", and {share} of what the reference's FLOPs allow ({floor})"
                    if limits.work_share <= 1
                    else f", and is faster than the reference's FLOPs allow ({floor}): it does less work"
                )
            text += "."
        return text
    work = verdict.metal
    if work is None or not work.kernels:
        return ""
    launches = sum(kernel.launches for kernel in work.kernels)
    text = (
        f"It accesses {figures.size(work.device_bytes)} of device memory ({figures.size(work.distinct_device_bytes)} "
        f"distinct) with {figures.count(work.flops)} FLOPs in "
        f"{launches} launch{'' if launches == 1 else 'es'} (counted, not measured on a Mac)."
    )
    plain = [t for t in work.modelled if " " not in t.gpu] or list(work.modelled)
    if plain:
        times = ", ".join(f"{t.gpu} {figures.milliseconds(t.ms)} ({t.bound})" for t in plain)
        text += f" Modelled at best: {times}."
    return text


def line(history: Sequence[Attempt], attempt: Attempt) -> str:
    title = f" ({attempt.candidate.title})" if attempt.candidate is not None and attempt.candidate.title else ""
    head = f"attempt {turn(history, attempt)}{title}"
    if attempt.candidate is None:
        return f"{head}: no usable answer"
    if attempt.verdict.ok:
        return f"{head} {figures.first_line(outcome(history, attempt))}"
    rule = f" ({attempt.verdict.rule})" if attempt.verdict.rule else ""
    return f"{head}: {attempt.verdict.status.value}{rule}: {figures.first_line(attempt.verdict.feedback)}"


def turn(history: Sequence[Attempt], attempt: Attempt) -> int:
    """Attempts by this author are counted from 1 in its prompts: a run's numbers count everybody's."""
    return next(n for n, other in enumerate(history, start=1) if other.number == attempt.number)


def diff(old: Attempt, new: Attempt) -> str:
    assert old.candidate is not None and new.candidate is not None
    before, after = old.candidate.source.splitlines(), new.candidate.source.splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    return "\n".join(lines) if len(lines) <= DIFF_LINES else ""
