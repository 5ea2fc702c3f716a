"""Platforms: the devices of this machine, their clocks and their limits. Importing this package costs no torch."""

from kernelwright.platforms.contract import Platform, Stamps
from kernelwright.platforms.registry import best, get, names

__all__ = ["Platform", "Stamps", "best", "get", "names"]
