"""How a swarm spends its budget over its authors."""

import random

from kernelwright.schema import Policy as Name
from kernelwright.schema import RunSettings
from kernelwright.swarm.policies.bandit import Bandit
from kernelwright.swarm.policies.policy import Policy
from kernelwright.swarm.policies.turns import Turns

__all__ = ["Policy", "policy_for"]


def policy_for(settings: RunSettings, attempts_so_far: int) -> Policy:
    """The policy of these settings. Draws depend on the run's seed and on how far it has come."""
    match settings.policy:
        case Name.INDEPENDENT:
            return Turns(shows_peers=False)
        case Name.EXCHANGE:
            return Turns(shows_peers=True)
        case Name.BANDIT:
            return Bandit(random.Random(f"{settings.seed}/{attempts_so_far}"))
