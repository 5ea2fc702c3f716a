"""Runs whose models are real HTTP and whose judge is paper: what the benchmarks of the swarm share."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kernelwright import authors
from kernelwright.authors import Task
from kernelwright.problems import from_file
from kernelwright.schema import (
    BaselineTiming,
    Candidate,
    DeviceFacts,
    Problem,
    Profile,
    RunSettings,
    Status,
    Target,
    Verdict,
)
from kernelwright.store import Store
from kernelwright.swarm import Swarm
from kernelwright.swarm.campaign import Shared

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the loopback provider of the tests

FACTS = DeviceFacts(platform="cpu", name="paper", memory_bytes=1 << 34, cores=2, cache_bytes=1 << 25)


class Refusing:
    """A judge that takes its time and finds every candidate wrong, so that every author makes all of its tries."""

    problem_labels: tuple[str, ...] = ()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def baselines(self) -> tuple[BaselineTiming, ...]:
        return ()

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        time.sleep(self.seconds)
        return Verdict(status=Status.MISMATCH, feedback="off by one in every element", candidate=candidate.digest)

    def profile(self, candidate: Candidate, *, trusted: bool = False) -> Profile | None:
        return None


def problems(count: int) -> list[Problem]:
    """The first ``count`` of the shipped examples."""
    return [from_file(path) for path in sorted((ROOT / "examples/problems").glob("level[12]/*.py"))[:count]]


def swarm(store: Store, problem: Problem, names: Sequence[str], judge_seconds: float, shared: Shared) -> Swarm:
    task = Task(problem=problem, facts=FACTS, platform="cpu", target=Target.TORCH)
    writers = [authors.get(name) for name in names]
    return Swarm(store, Refusing(judge_seconds), writers, task, device=shared.device, stop=shared.stop)


def settings(problem: Problem, names: Sequence[str], tries: int) -> RunSettings:
    return RunSettings(problem=problem, authors=tuple(names), target=Target.TORCH, tries=tries, parallel=len(names))
