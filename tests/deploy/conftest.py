"""A small network, a run that ended with a winner for it, and winners of several kinds: no judge is needed."""

from collections.abc import Callable

import pytest
import torch
from deploy_net import Net
from torch import nn

from kernelwright.deploy import OptimizedModule
from kernelwright.problems import from_module
from kernelwright.schema import (
    Attempt,
    Candidate,
    Interval,
    Outcome,
    Run,
    RunSettings,
    RunState,
    Speedup,
    Status,
    Verdict,
)

# Counts its calls, and marks its answers by adding nothing but one call.
WINNER = """\
import torch
from torch import nn


class ModelNew(nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x):
        ModelNew.calls += 1
        return torch.relu(self.norm(self.first(x)))
"""


SPEEDUP = Speedup(
    eager=Interval(median=2.0, low=1.9, high=2.1),
    best_baseline=Interval(median=1.5, low=1.4, high=1.6),
    best_baseline_name="compile",
)


def run_for(module: nn.Module, inputs: tuple[object, ...], source: str | None) -> tuple[Run, Attempt | None]:
    problem = from_module(module, inputs)
    outcome = Outcome(winner="attempt" if source else "eager", attempt=1 if source else None, speedup=SPEEDUP)
    run = Run(
        id="20260101-net-0000",
        created="2026-01-01T00:00:00+00:00",
        state=RunState.FINISHED,
        settings=RunSettings(problem=problem),
        outcome=outcome,
    )
    if source is None:
        return run, None
    candidate = Candidate(source=source, author="rewriter", title="one pass", explanation="It is fused.")
    verdict = Verdict(status=Status.CORRECT, speedup=SPEEDUP, device="paper")
    return run, Attempt(run=run.id, number=1, author="rewriter", candidate=candidate, verdict=verdict, created="now")


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(3, 4)


Optimize = Callable[..., OptimizedModule]


@pytest.fixture
def optimized_by() -> Optimize:
    def make(module: nn.Module, *inputs: object, source: str | None = WINNER) -> OptimizedModule:
        return OptimizedModule(module, *run_for(module, inputs, source))

    return make
