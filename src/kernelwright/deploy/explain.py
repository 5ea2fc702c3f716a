"""A run's outcome in a few sentences."""

from kernelwright.schema import UNTIMED, Attempt, Interval, Run, Target

_CALLED = {
    "eager": "plain PyTorch",
    "compile": "torch.compile",
    "compile-max-autotune": "torch.compile(mode='max-autotune')",
    "onnxruntime": "ONNX Runtime",
}


def explain(run: Run, attempt: Attempt | None) -> list[str]:
    """Lines for a person; ``attempt`` is the one that is in use."""
    name, outcome = run.settings.problem.name, run.outcome
    if outcome is None:
        return [f"{name}: run {run.id} is {run.state.value}, the original module is in use"]
    stays = _CALLED.get(outcome.winner, outcome.winner)
    lines: list[str] = []
    if attempt is None:
        lines.append(f"{name}: no verified candidate is faster, the original module is in use")
        if outcome.winner == UNTIMED:
            why = "counts the least work" if run.settings.target is Target.METAL else "is correct"
            lines.append(f"candidates were checked, not timed; attempt {outcome.attempt} {why}")
        elif outcome.winner not in ("attempt", "eager"):
            lines.append(f"{stays} was the fastest of all: {_times(outcome.speedup.eager)} plain PyTorch")
    else:
        speedup, candidate = attempt.verdict.speedup, attempt.candidate
        lines.append(
            f"{name}: {_times(speedup.eager)} plain PyTorch on {attempt.verdict.device or run.settings.platform}"
        )
        if outcome.winner == "attempt":
            best = _CALLED.get(speedup.best_baseline_name or "", speedup.best_baseline_name or "")
            lines.append(f"{_times(speedup.best_baseline)} the best baseline, {best}")
        else:
            lines.append(f"no candidate beat {stays}")
        if candidate is not None:
            lines.append(f"written by {attempt.author}" + (f": {candidate.title}" if candidate.title else ""))
            if candidate.explanation:
                lines.append(candidate.explanation)
        lines += [f"warning: {warning}" for warning in attempt.verdict.warnings]
    if outcome.problem_labels:
        lines.append(f"about the problem itself: {', '.join(outcome.problem_labels)}")
    lines.append(f"run {run.id}: `kernelwright show {run.id}`")
    return lines


def _times(interval: Interval | None) -> str:
    if interval is None:
        return "not timed against"
    return f"{interval.median:.2f}× as fast as ({interval.low:.2f} to {interval.high:.2f}, 95 %)"
