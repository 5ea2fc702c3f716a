"""Thompson sampling: the budget flows to authors that still gain.

One arm for each author. An attempt's reward is the gain in log speedup that it brings the run, over what the run had
before it, for each unit of what the attempt cost: dollars where all calls have a price, else seconds of writing. The
belief about an author's mean reward is normal with unknown variance (Normal-Gamma); a draw from it is a Student's t
(Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007; Thompson, Biometrika 25, 1933). Gains dry up
as a run goes on, so old rewards count less: each has the weight ``MEMORY`` to the power of its age in attempts of the
run (discounted Thompson sampling, Raj and Kalyani, arXiv:1707.09727).
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors import Author
from kernelwright.schema import Attempt
from kernelwright.swarm.ledger import Ledger

MEMORY = 0.9
PRIOR_WEIGHT = 0.5
"""How many attempts the belief is worth with which an author begins."""
PRIOR_REWARD = 1.0
"""In units of the mean reward of all attempts: an author nobody has tried is taken for an average one."""


@dataclass(frozen=True, slots=True)
class Bandit:
    """Draws once for each question; where the drawn author is writing just now, nobody else is asked in its place."""

    draw: random.Random
    shows_peers: bool = True

    def choose(self, ledger: Ledger, active: Sequence[Author], idle: Sequence[Author]) -> Author | None:
        """Whoever was never asked comes first; then the author with the highest draw, if it is idle."""
        fresh = [author for author in idle if not ledger.history(author)]
        if fresh:
            return fresh[0]
        rewards = rewards_of(ledger.attempts)
        scale = _mean([reward for _, reward, _ in rewards]) or 1.0
        drawn = {author.name: self._sample(author.name, rewards, scale) for author in active}
        best = max(active, key=lambda author: drawn[author.name], default=None)
        return best if best in idle else None

    def _sample(self, author: str, rewards: Sequence[tuple[str, float, float]], scale: float) -> float:
        own = [(reward / scale, weight) for name, reward, weight in rewards if name == author]
        weight = sum(weight for _, weight in own)
        mean = sum(reward * weight for reward, weight in own) / weight if weight else 0.0
        spread = sum(weight * (reward - mean) ** 2 for reward, weight in own)
        n = PRIOR_WEIGHT + weight
        center = (PRIOR_WEIGHT * PRIOR_REWARD + weight * mean) / n
        shape = 1.0 + weight / 2
        rate = 0.5 + spread / 2 + PRIOR_WEIGHT * weight * (mean - PRIOR_REWARD) ** 2 / (2 * n)
        precision = self.draw.gammavariate(shape, 1.0 / rate)
        return self.draw.gauss(center, 1.0 / math.sqrt(n * precision))


def rewards_of(attempts: Sequence[Attempt]) -> list[tuple[str, float, float]]:
    """Author, gain in log speedup per unit of cost, and weight of each attempt, oldest first."""
    priced = all(attempt.cost_usd is not None for attempt in attempts) and any(a.cost_usd for a in attempts)
    costs = [(a.cost_usd or 0.0) if priced else a.write_seconds for a in attempts]
    floor = 0.01 * _mean(costs) or 1.0  # what costs next to nothing is not infinitely good
    best = 0.0
    found: list[tuple[str, float, float]] = []
    for age, (attempt, cost) in enumerate(zip(attempts, costs, strict=True), start=1 - len(attempts)):
        speed = log_speedup(attempt)
        found.append((attempt.author, max(0.0, speed - best) / max(cost, floor), MEMORY**-age))
        best = max(best, speed)
    return found


def log_speedup(attempt: Attempt) -> float:
    """Of a correct attempt, over eager; untimed Metal over nothing in particular, so that differences mean the same."""
    verdict = attempt.verdict
    if not verdict.ok:
        return 0.0
    if verdict.speedup.eager is not None:
        return max(0.0, math.log(max(verdict.speedup.eager.median, 1e-9)))
    if verdict.metal is not None and (modelled := sum(time.ms for time in verdict.metal.modelled)) > 0:
        return max(0.0, _UNTIMED_START - math.log(modelled))
    return 0.0


_UNTIMED_START = math.log(1e6)
"""Milliseconds that no module of a run takes."""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
