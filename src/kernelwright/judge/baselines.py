"""The baselines of one problem: built in the reference's process, timed side by side, and the best one chosen."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kernelwright.judge.reference.client import ReferenceFailed
from kernelwright.judge.settings import JudgeSettings
from kernelwright.judge.spent import Spent
from kernelwright.judge.timing import Samples, Stopwatch
from kernelwright.schema import BaselineTiming, Precision

WORTH_A_RUN_OFF = 1.02
"""Baselines that look less faster than this leave nothing to decide."""

Ask = Callable[..., dict[str, Any]]


class Builder:
    """Builds baselines in the reference's process.

    ``ask``: a request to whichever process is the reference's now. ``renew``: starts another one in its place, with the
    problem loaded.
    """

    def __init__(self, ask: Ask, renew: Callable[[], None], seed: int, time_limit: float) -> None:
        self._ask = ask
        self._renew = renew
        self._seed = seed
        self._time_limit = time_limit

    def build(self, names: tuple[str, ...]) -> dict[str, str]:
        """The reasons of those that cannot be built."""
        failed: dict[str, str] = {}
        for number, name in enumerate(names):
            failure = self._build(name)
            if failure is not None:
                failed[name] = failure
                self._build_again([other for other in names[:number] if other not in failed])
        return failed

    def inexact(self, names: list[str], precision: Precision) -> dict[str, str]:
        """Why answers would be rejected as a candidate's, of those for which that is so."""
        found: dict[str, str] = {}
        for name in names:
            with suppress(ReferenceFailed):  # it is not known then, and the times will say what is wrong
                reply = self._ask("check_baseline", name=name, seed=self._seed, precision=precision.value)
                found |= {name: reply["inexact"]} if reply["inexact"] else {}
        return found

    def _build_again(self, names: list[str]) -> None:
        """After a failure that may have cost the process: what was built before must be there."""
        if names and not self._ask("built", names=names)["all"]:
            for name in names:
                self._build(name)

    def _build(self, name: str) -> str | None:
        """Build one; the reason, where that fails. One that takes the process with it gets a new process."""
        try:
            return self._ask("build", name=name, seed=self._seed, timeout=self._time_limit).get("failure")
        except ReferenceFailed as error:
            if error.lost:
                self._renew()
            return str(error)


def build_and_time(
    builder: Builder, stopwatch: Callable[[], Stopwatch], settings: JudgeSettings, spent: Spent
) -> tuple[BaselineTiming, ...]:
    """Eager and those that ``settings`` name; one that fails is there with the reason."""
    names = tuple(dict.fromkeys(("eager", *settings.baselines)))
    with spent.on("building"):
        failed = builder.build(names)
        built = [name for name in names if name not in failed]
        inexact = builder.inexact([name for name in built if name != "eager"], settings.precision)
    with spent.on("timing_baselines"):
        timed = _timed(built, stopwatch(), settings.timing_budget)
    timed = {name: found.model_copy(update={"inexact": inexact.get(name)}) for name, found in timed.items()}
    return tuple(timed[name] if name in timed else BaselineTiming(name=name, failure=failed[name]) for name in names)


def _timed(names: list[str], stopwatch: Stopwatch, budget: float) -> dict[str, BaselineTiming]:
    """All side by side; then eager with each one alone that looks faster, but not beyond noise, fastest first."""
    samples = stopwatch.measure(names, budget)
    timed = {name: _standing(samples, name) for name in names}
    for name in sorted(names, key=lambda name: samples.ms(name).median):
        if name == "eager" or samples.ratio("eager", name).median < WORTH_A_RUN_OFF:
            break
        if not _faster_than_eager(timed[name]):
            run_off = stopwatch.measure(["eager", name], budget)
            timed |= {each: _standing(run_off, each) for each in ("eager", name)}
        if _faster_than_eager(timed[name]):
            break
    return timed


def best_baseline(baselines: tuple[BaselineTiming, ...]) -> str:
    """The name of the fastest baseline that works."""
    timed = [(b.ms.median, b.name) for b in baselines if b.ms is not None]
    return min(timed)[1] if timed else "eager"


def _standing(samples: Samples, name: str) -> BaselineTiming:
    return BaselineTiming(name=name, ms=samples.ms(name), vs_eager=samples.ratio("eager", name))


def _faster_than_eager(baseline: BaselineTiming) -> bool:
    return baseline.vs_eager is not None and baseline.vs_eager.low > 1.0
