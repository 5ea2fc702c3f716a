"""A run with the real rooms behind it: platform, judge and authors looked up by the names in its settings."""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from kernelwright.schema import Budget, ContextPiece, Precision, Problem, Run, RunSettings, RunState, Target
from kernelwright.swarm.observer import Observer

if TYPE_CHECKING:
    from kernelwright.judge import JudgeSettings
    from kernelwright.store import Store
    from kernelwright.swarm.swarm import Swarm


def settings_for(
    problem: Problem,
    *,
    target: Target | None = None,
    authors: tuple[str, ...] = (),
    budget: Budget | None = None,
    precision: Precision = Precision.STRICT,
    platform: str | None = None,
) -> RunSettings:
    """Settings with every default written out, so that the stored run can be repeated.

    Raises ``LookupError`` (one line) for an author or platform that does not exist.
    """
    from kernelwright import authors as registry
    from kernelwright import platforms

    device = platforms.get(platform).name
    names = authors or registry.default_names(target, device)
    for name in names:
        registry.get(name)
    return RunSettings(
        problem=problem,
        target=target,
        authors=names,
        budget=budget or Budget(seconds=300.0),
        precision=precision,
        platform=device,
    )


def start_run(
    settings: RunSettings,
    store: "Store",
    observer: Observer | None = None,
    *,
    unsafe: bool = False,
    device: AbstractContextManager[object] | None = None,
    stop: threading.Event | None = None,
    judge: "JudgeSettings | None" = None,
) -> Run:
    """Optimize one problem from the beginning. ``unsafe``: judge authors nobody vouches for without isolation.

    ``device``, ``stop``: for runs side by side, as ``Swarm`` takes them. ``judge``: what the run's own settings leave
    open (baselines, a gate before the device); its precision, timing and ``unsafe`` are the run's.
    """
    with _swarm(settings, store, observer, unsafe, device, stop, judge) as swarm:
        return swarm.start(settings)


def resume_run(
    run_id: str,
    store: "Store",
    observer: Observer | None = None,
    *,
    budget: Budget | None = None,
    unsafe: bool = False,
) -> Run:
    """Go on with a run. ``budget`` replaces the run's own, counted from its start.

    A finished run is returned as it is, unless there is a new budget. Raises ``NotStoredError`` for an unknown id.
    """
    run = store.run(run_id)
    if budget is not None:
        store.set_budget(run_id, budget)
    elif run.state is RunState.FINISHED:
        return run
    with _swarm(run.settings, store, observer, unsafe) as swarm:
        return swarm.resume(run_id)


@contextmanager
def _swarm(
    settings: RunSettings,
    store: "Store",
    observer: Observer | None,
    unsafe: bool,
    device: AbstractContextManager[object] | None = None,
    stop: threading.Event | None = None,
    judge: "JudgeSettings | None" = None,
) -> Generator["Swarm"]:
    from kernelwright import analysis, authors, platforms
    from kernelwright.judge import JudgeSession, JudgeSettings
    from kernelwright.judge.interpreter import timed
    from kernelwright.swarm.swarm import Swarm

    platform = platforms.get(settings.platform)
    task = authors.Task(
        problem=settings.problem,
        facts=platform.facts(),
        platform=platform.name,
        precision=settings.precision,
        target=settings.target,
        gate=judge.gate if judge is not None else None,
    )
    strictness = (judge or JudgeSettings()).model_copy(
        update={
            "precision": settings.precision,
            "timing": timed(settings.target, platform.name),
            "unsafe": unsafe,
            "timing_budget": _timing_budget(settings.budget),
        }
    )
    with JudgeSession(settings.problem, platform, strictness) as session:
        yield Swarm(
            store,
            session,
            [authors.get(name) for name in settings.authors],
            task,
            observer=observer,
            analyst=analysis.get(settings.analyst) if ContextPiece.PROFILE in settings.context else None,
            device=device,
            stop=stop,
        )


def _timing_budget(budget: Budget) -> float:
    """Seconds for timing one candidate: a small budget should see several candidates, not one measured to the end."""
    longest, shortest, share = 10.0, 2.0, 0.05
    return longest if budget.seconds is None else min(longest, max(shortest, share * budget.seconds))
