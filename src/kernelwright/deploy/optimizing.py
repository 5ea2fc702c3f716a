"""``kernelwright.optimize``: from a module to a faster one in one call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kernelwright.deploy.optimized import OptimizedModule
from kernelwright.problems import from_module
from kernelwright.report import LinesObserver
from kernelwright.schema import UNTIMED, Attempt, Budget, Precision, Run, Target
from kernelwright.store import Store
from kernelwright.swarm import Silent
from kernelwright.swarm.selection import best_against_eager
from kernelwright.swarm.start import settings_for, start_run


def optimize(
    module: nn.Module,
    inputs: Sequence[Any] | torch.Tensor,
    budget: str | Budget = "5m",
    *,
    authors: Sequence[str] | None = None,
    target: str | Target | None = None,
    precision: str | Precision = "strict",
    verbose: bool = False,
    store: Store | Path | str | None = None,
) -> OptimizedModule:
    """Search for a faster implementation of ``module`` and return it as a drop-in replacement.

    ``inputs``: example positional arguments of ``forward``; their shapes, dtypes and devices are what the result is
    verified for (a single tensor stands for itself). ``budget``: ``"5m"``, ``"90s"``, ``"20"`` attempts, or both
    ``"20,5m"``. ``authors``: names as ``kernelwright doctor`` lists them; by default all that need no key. ``target``:
    only authors of this language. ``store``: where the run is kept, by default ``$KERNELWRIGHT_HOME`` or
    ``~/.kernelwright``.

    The module itself is not changed. What comes back is verified in eval mode without gradients; outside that, and
    outside the shapes of ``inputs``, it calls the original. Where nothing beats the best baseline the result says so in
    ``explain()`` and is the original (or ``torch.compile``'s code for it).

    Raises ``ValueError`` for a wrong budget, precision or target, ``LookupError`` for an unknown author,
    ``ProblemError`` where the module cannot be stored or run, and ``KeyboardInterrupt`` on Ctrl-C with everything
    judged so far stored.
    """
    arguments = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    settings = settings_for(
        from_module(module, arguments),
        target=Target(target) if target is not None else None,
        authors=tuple(authors or ()),
        budget=budget if isinstance(budget, Budget) else Budget.parse(budget),
        precision=Precision(precision),
        platform=_platform_of(module, arguments),
    )
    opened = store if isinstance(store, Store) else Store.open(Path(store) if store is not None else None)
    try:
        run = start_run(settings, opened, LinesObserver() if verbose else Silent())
        optimized = OptimizedModule(module, run, _in_use(run, opened.attempts(run.id)))
    finally:
        if opened is not store:
            opened.close()
    optimized.prepare()
    return optimized


def _in_use(run: Run, attempts: tuple[Attempt, ...]) -> Attempt | None:
    """The outcome's attempt. Where the best baseline is no file, what is faster than the module is still a gain."""
    outcome = run.outcome
    if outcome is None or outcome.winner in ("eager", UNTIMED):
        return None
    if outcome.attempt is not None:
        return next(attempt for attempt in attempts if attempt.number == outcome.attempt)
    return best_against_eager(attempts)


def _platform_of(module: nn.Module, inputs: tuple[Any, ...]) -> str:
    """Where the module's weights are, or else its inputs."""
    tensors = [*module.parameters(), *module.buffers(), *(x for x in inputs if isinstance(x, torch.Tensor))]
    return tensors[0].device.type if tensors else "cpu"
