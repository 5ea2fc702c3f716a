"""Which policy finds the best candidate with the fewest attempts? Authors of known skill, on the swarm's own loop.

    python benchmarks/swarm_policies.py [--runs 200] [--seed 0]

The model of an author: an attempt works with a probability; one that works moves from where the author stands towards
the problem's ceiling by a share of the way that is left (in log speedup), drawn around the author's skill. Where an
author stands is its own best candidate; shown the best of the others, it takes that one over with a probability. The
ceilings are the best speedups over eager that results/examples-cpu.json holds for the shipped examples, one drawn for
each simulated run. Four authors: two strong, one middling, one that hardly ever works; each attempt costs a price of
its author's. A run has found the best candidate when its leader has 95 % of the ceiling's log speedup. What is
simulated are authors and judge; ledger, policies, supervisor and store are the real ones.

Prints for each policy the attempts and the cost that it took, medians with 95 % bootstrap intervals, runs that never
got there counted with all the attempts they had.
"""

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from figure import machine
from kernelwright.authors import Proposal, Task
from kernelwright.schema import (
    Attempt,
    BaselineTiming,
    Budget,
    CallStatus,
    Candidate,
    DeviceFacts,
    Exchange,
    Interval,
    Message,
    Policy,
    Problem,
    Profile,
    Prompt,
    RunSettings,
    Speedup,
    Status,
    Target,
    Verdict,
)
from kernelwright.store import Store
from kernelwright.swarm import Swarm

EXAMPLES = Path(__file__).parents[1] / "results" / "examples-cpu.json"
MOST_ATTEMPTS = 80
ENOUGH = 0.95
FACTS = DeviceFacts(platform="cpu", name="paper", memory_bytes=1, cores=1, cache_bytes=1)
PROMPT = Prompt(system="", messages=(Message(role="user", text=""),))


@dataclass(frozen=True)
class Skill:
    name: str
    works: float
    """Probability that an attempt is correct."""
    step: float
    """Mean share of the way left that a working attempt makes."""
    adopts: float
    """Probability that it takes over a better candidate that it is shown."""
    dollars: float


SKILLS = (
    Skill("strong", 0.6, 0.25, 0.7, 0.10),
    Skill("steady", 0.8, 0.15, 0.5, 0.04),
    Skill("middling", 0.5, 0.08, 0.6, 0.02),
    Skill("weak", 0.15, 0.05, 0.3, 0.01),
)


@dataclass
class Scripted:
    """An author of that skill. Its candidates are the log speedups that they reach."""

    skill: Skill
    ceiling: float
    draw: random.Random
    trusted: bool = True
    targets: frozenset[Target] = frozenset({Target.TORCH})
    waits: bool = True
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.skill.name

    def propose(self, task: Task, history: Sequence[Attempt]) -> Proposal:
        stands = max((reached(attempt) for attempt in history), default=0.0)
        shown = max((reached(attempt) for attempt in task.peers), default=0.0)
        if shown > stands and self.draw.random() < self.skill.adopts:
            stands = shown
        source = "wrong"
        if self.draw.random() < self.skill.works:
            share = min(1.0, self.draw.expovariate(1 / self.skill.step))
            source = repr(stands + share * (self.ceiling - stands))
        key = f"{self.name}/{len(history) + 1}/1"
        paid = Exchange(key=key, model=self.name, prompt=PROMPT, status=CallStatus.ANSWERED, answer=source,
                        cost_usd=self.skill.dollars)  # fmt: skip
        return Proposal(Candidate(source=f"{source}  # {key}", author=self.name), exchanges=(paid,))


class Judge:
    problem_labels: tuple[str, ...] = ()

    def baselines(self) -> tuple[BaselineTiming, ...]:
        return (BaselineTiming(name="eager", ms=Interval(median=1.0, low=1.0, high=1.0)),)

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        word = candidate.source.split()[0]
        if word == "wrong":
            return Verdict(status=Status.MISMATCH)
        ratio = math.exp(float(word))
        measured = Interval(median=ratio, low=0.99 * ratio, high=1.01 * ratio)
        return Verdict(status=Status.CORRECT, speedup=Speedup(eager=measured, best_baseline=measured))

    def profile(self, candidate: Candidate, *, trusted: bool = False) -> Profile | None:
        return None


def reached(attempt: Attempt) -> float:
    eager = attempt.verdict.speedup.eager
    return math.log(eager.median) if eager else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ceilings = known_ceilings()
    for policy in Policy:
        found = [simulated(policy, ceilings, f"{options.seed}/{number}") for number in range(options.runs)]
        attempts, dollars, there = zip(*found, strict=True)
        print(
            f"{policy.value}: {interval(attempts)} attempts and {interval(dollars, '.2f')} dollars to the best "
            f"candidate, which {sum(there)} of {options.runs} runs found within {MOST_ATTEMPTS} attempts",
            flush=True,
        )
    print(f"medians with 95 % bootstrap intervals ({machine()})")
    return 0


def known_ceilings() -> list[float]:
    """Log speedups over eager of the best candidates of the shipped examples, where there is something to gain."""
    table = json.loads(EXAMPLES.read_text())
    best = [entry["speedup"]["eager"]["median"] for entry in table["results"].values() if entry["speedup"]["eager"]]
    return [math.log(ratio) for ratio in best if ratio > 1.2]


def simulated(policy: Policy, ceilings: Sequence[float], seed: str) -> tuple[int, float, bool]:
    """Attempts and dollars until the best candidate, and whether it was found."""
    draw = random.Random(seed)
    ceiling = draw.choice(ceilings)
    authors = [Scripted(skill, ceiling, random.Random(f"{seed}/{skill.name}")) for skill in SKILLS]
    problem = Problem(name="paper", format="kernelbench")
    settings = RunSettings(
        problem=problem, authors=tuple(a.name for a in authors), budget=Budget(attempts=MOST_ATTEMPTS), policy=policy,
        tries=MOST_ATTEMPTS, rounds=MOST_ATTEMPTS, parallel=1, seed=draw.randrange(1 << 30),
    )  # fmt: skip
    shm = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a store that is thrown away need not reach a disk
    with tempfile.TemporaryDirectory(dir=shm) as home, Store.open(Path(home)) as store:
        task = Task(problem=problem, facts=FACTS, platform="cpu")
        run = Swarm(store, Judge(), authors, task).start(settings)
        attempts = store.attempts(run.id)
    spent = 0.0
    for attempt in attempts:
        spent += attempt.cost_usd or 0.0
        if reached(attempt) >= ENOUGH * ceiling:
            return attempt.number, spent, True
    return len(attempts), spent, False


def interval(values: Sequence[float], form: str = ".0f") -> str:
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(1000))
    return f"{statistics.median(values):{form}} [{medians[25]:{form}}, {medians[974]:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
