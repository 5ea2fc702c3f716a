"""The loop: authors work on a problem under a budget, a judge decides, the best that holds up is kept."""

from kernelwright.swarm.observer import Observer, Silent
from kernelwright.swarm.session import Session
from kernelwright.swarm.swarm import Swarm, SwarmInterruptedError

__all__ = ["Observer", "Session", "Silent", "Swarm", "SwarmInterruptedError"]
