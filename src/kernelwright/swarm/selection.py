"""Who wins: an attempt that is faster beyond noise than the best baseline, or that baseline itself."""

from collections.abc import Iterable, Sequence

from kernelwright.schema import UNTIMED, Attempt, BaselineTiming, Interval, Outcome, Speedup

COMPILER_AUTHOR = "inductor"
"""The author whose candidates are ``torch.compile`` itself, written down as a file."""


def best_attempt(attempts: Iterable[Attempt]) -> Attempt | None:
    """The correct attempt with the highest median against the best baseline, if the whole interval is above 1.

    ``None`` where there is none: nothing that may be slower than the best baseline, or than eager as it was measured
    beside this very attempt, ever wins. Of equals the first.
    """
    faster = [a for a in attempts if a.verdict.ok and a.verdict.speedup.faster_than_best and _holds_against_eager(a)]
    return max(faster, key=_median, default=None)


def best_first(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Correct attempts, the fastest against eager first; untimed Metal by its counted work."""
    return tuple(sorted(attempts, key=_order))


def _order(attempt: Attempt) -> tuple[float, float, int]:
    eager = attempt.verdict.speedup.eager
    modelled, moved = _modelled(attempt) if attempt.verdict.metal is not None else (0.0, 0)
    return -eager.median if eager else 0.0, modelled, moved


def best_against_eager(attempts: Iterable[Attempt]) -> Attempt | None:
    """The correct attempt with the highest median against eager, among those whose whole interval is above 1.

    For a caller who has only eager to lose, because the best baseline is nothing that could take a module's place.
    """
    faster = [a for a in attempts if a.verdict.ok and a.verdict.speedup.faster_than_eager]
    return max(faster, key=lambda a: a.verdict.speedup.eager.median if a.verdict.speedup.eager else 0.0, default=None)


def least_work(attempts: Iterable[Attempt]) -> Attempt | None:
    """Of the correct Metal attempts that were checked, not timed, the one whose counted work is least.

    Compared by modelled time, summed over the GPUs of the model; where the model says nothing, by bytes of device
    memory. An attempt that launched no kernel is none of Metal's. Of equals the first.
    """
    checked = [a for a in attempts if a.verdict.ok and a.verdict.metal is not None and a.verdict.metal.kernels]
    return min(checked, key=_modelled, default=None)


def first_interpreted(attempts: Iterable[Attempt]) -> Attempt | None:
    """The first correct attempt that was checked, not timed, where no work is counted either: Triton on a CPU."""
    return next((a for a in attempts if a.verdict.ok and a.verdict.not_timed and a.verdict.metal is None), None)


def _modelled(attempt: Attempt) -> tuple[float, int]:
    work = attempt.verdict.metal
    assert work is not None
    return sum(time.ms for time in work.modelled), work.device_bytes


def _holds_against_eager(attempt: Attempt) -> bool:
    eager = attempt.verdict.speedup.eager
    return eager is None or (eager.median >= 1.0 and attempt.verdict.speedup.eager_call != "slower")


def best_baseline(baselines: Iterable[BaselineTiming]) -> BaselineTiming | None:
    """The baseline that stays: of those that were faster than eager beyond noise the fastest, else eager itself.

    Where eager was not timed, the fastest of what was.
    """
    timed = {b.name: b for b in baselines if b.ms is not None}
    if "eager" not in timed:
        return min(timed.values(), key=lambda b: b.ms.median if b.ms else float("inf"), default=None)
    ratios = {name: _against_eager(b, timed["eager"]) for name, b in timed.items() if name != "eager"}
    faster = {name: ratio.median for name, ratio in ratios.items() if ratio is not None and ratio.low > 1.0}
    return timed[max(faster, key=lambda name: faster[name])] if faster else timed["eager"]


def beaten(baselines: Sequence[BaselineTiming], attempts: Iterable[Attempt]) -> frozenset[str]:
    """Baselines that were timed and will not stay: written as a file they would not win either.

    ONNX Runtime beats none: it is no module, so that the user may keep what comes second.
    """
    timed = [b for b in baselines if b.ms is not None and b.name != "onnxruntime"]
    stays = best_baseline(timed) if best_attempt(attempts) is None else None
    return frozenset(b.name for b in timed if b is not stays)


def _against_eager(baseline: BaselineTiming, eager: BaselineTiming) -> Interval | None:
    """Eager's time over this baseline's: paired where that was measured, else the widest interval that fits."""
    if baseline.vs_eager is not None or baseline.ms is None or eager.ms is None:
        return baseline.vs_eager
    mine, theirs = baseline.ms, eager.ms
    return Interval(median=theirs.median / mine.median, low=theirs.low / mine.high, high=theirs.high / mine.low)


def choose(attempts: Sequence[Attempt], baselines: tuple[BaselineTiming, ...], labels: tuple[str, ...]) -> Outcome:
    """The outcome of a run. Attempts that were not timed cannot win."""
    winner = best_attempt(attempts)
    if winner is not None:
        return Outcome(
            winner="attempt",
            attempt=winner.number,
            speedup=winner.verdict.speedup,
            baselines=baselines,
            problem_labels=labels,
        )
    stays = best_baseline(baselines)
    checked = least_work(attempts) or first_interpreted(attempts)
    if stays is None and checked is not None:
        return Outcome(winner=UNTIMED, attempt=checked.number, problem_labels=labels)
    if stays is None:
        return Outcome(winner="eager", baselines=baselines, problem_labels=labels)
    written = _as_attempt(stays, attempts)
    return Outcome(
        winner=stays.name,
        attempt=written.number if written else None,
        speedup=written.verdict.speedup if written else _of_baseline(stays, baselines),
        baselines=baselines,
        problem_labels=labels,
    )


def _as_attempt(baseline: BaselineTiming, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that is this ``torch.compile`` baseline as a file, unless it was measured to be slower."""
    if not baseline.name.startswith("compile"):
        return None
    same = [
        a
        for a in attempts
        if a.author == COMPILER_AUTHOR
        and a.verdict.ok
        and a.verdict.speedup.best_baseline is not None
        and a.verdict.speedup.best_baseline.high >= 1.0
        and a.verdict.speedup.best_baseline_call != "slower"
        and _holds_against_eager(a)
    ]
    return max(same, key=_median, default=None)


def _median(attempt: Attempt) -> float:
    interval = attempt.verdict.speedup.best_baseline
    return interval.median if interval else 0.0


def _of_baseline(stays: BaselineTiming, baselines: tuple[BaselineTiming, ...]) -> Speedup:
    """The baseline's own standing."""
    itself = Interval(median=1.0, low=1.0, high=1.0)
    eager = next((b for b in baselines if b.name == "eager"), None)
    ratio, call = None, None
    if stays.name == "eager":
        ratio, call = itself, "same"
    elif eager is not None and (ratio := _against_eager(stays, eager)) is not None:
        call = "faster" if ratio.low > 1.0 else "slower" if ratio.high < 1.0 else "same"
    return Speedup(
        eager=ratio,
        eager_call=call,
        best_baseline=itself,
        best_baseline_call="same",
        best_baseline_name=stays.name,
    )
