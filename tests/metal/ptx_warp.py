"""Warps: 32 lanes, where each of them is, and where those that a branch has parted meet again."""

from dataclasses import dataclass, field

import numpy as np
from ptx_values import Lanes

LANES = 32
PATIENCE = 2
"""Turns of a warp in which others tried atomics, after which lanes no longer wait to meet them."""


@dataclass
class Region:
    """Memory from an address on. ``rows``: each lane has its own."""

    address: int
    data: np.ndarray
    rows: bool = False

    @property
    def end(self) -> int:
        return self.address + self.data.shape[-1]


@dataclass
class Meeting:
    """Where lanes that parted wait for each other."""

    place: int
    members: set[int]


@dataclass
class Warp:
    """32 lanes."""

    number: int
    registers: dict[str, Lanes]
    local: Region
    places: list[int] = field(default_factory=lambda: [0] * LANES)
    meetings: list[list[Meeting]] = field(default_factory=lambda: [[] for _ in range(LANES)])
    gone: set[int] = field(default_factory=set)
    at_barrier: set[int] = field(default_factory=set)
    turn: int = 0
    tries: int = 0
    """Turns in a row with an atomic in them."""

    def groups(self) -> list[tuple[int, ...]]:
        """The lanes that can run, those together that are at the same place on the same way."""
        found: dict[tuple[int, int], list[int]] = {}
        for lane in range(LANES):
            if lane in self.gone or lane in self.at_barrier:
                continue
            meeting = self.meetings[lane][-1] if self.meetings[lane] else None
            if meeting and self.places[lane] == meeting.place:
                continue
            found.setdefault((self.places[lane], id(meeting)), []).append(lane)
        return [tuple(lanes) for lanes in found.values()]

    def let_go(self) -> None:
        """Lanes that have all met go on together."""
        again = True
        while again:
            again = False
            for lane in range(LANES):
                if lane in self.gone or not self.meetings[lane]:
                    continue
                meeting = self.meetings[lane][-1]
                here = {
                    m for m in meeting.members if self.meetings[m][-1] is meeting and self.places[m] == meeting.place
                }
                if here and (here >= meeting.members - self.gone or self.tries > PATIENCE):
                    meeting.members -= here
                    for member in here:
                        self.meetings[member].pop()
                    again = True
