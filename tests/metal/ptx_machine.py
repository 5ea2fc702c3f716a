"""Runs PTX: warps of 32 lanes with branches, barriers and memory, as the PTX ISA describes them.

Lanes that a branch has parted meet again at its immediate post-dominator, and run apart until then, unless those that
are there already keep the others from coming, as in a lock. Whoever exchanges values must name exactly those that are
there. An access outside of the memory that was handed
over, a shuffle whose mask names lanes that are not there, and a barrier that not all reach raise ``PtxFault``.
"""

import ctypes
from collections.abc import Iterable
from itertools import product

import numpy as np
from nvidia_stand_in import Launched
from ptx_step import Step
from ptx_text import Kernel, read
from ptx_values import Lanes, PtxFault
from ptx_warp import LANES, Region, Warp

SLICE = 200
"""Instructions after which the next group of lanes has its turn: one that waits for another must not keep it away."""
MOST_STEPS = 2_000_000
PARAMETER, SHARED, GLOBAL, LOCAL = (number << 48 for number in (0x7001, 0x7002, 0x7003, 0x7004))


class Group:
    """One threadgroup."""

    def __init__(self, kernel: Kernel, launched: Launched, position: tuple[int, ...], memory: Iterable[Region]):
        self.kernel = kernel
        self.symbols = {kernel.parameter: PARAMETER}
        parameter = Region(PARAMETER, np.frombuffer(launched.parameter, np.uint8))
        shared = self._laid_out("shared", SHARED, launched.shared_bytes)
        self.regions = [*memory, parameter, shared, self._laid_out("global", GLOBAL, 0)]
        local = self._laid_out("local", LOCAL, 0).data
        size = launched.group
        count = size[0] * size[1] * size[2]
        self.warps = [
            Warp(w, self._special(w, launched, position), Region(LOCAL, np.zeros((LANES, len(local)), np.uint8), True))
            for w in range(-(-count // LANES))
        ]
        for lane in range(count, len(self.warps) * LANES):
            self.warps[lane // LANES].gone.add(lane % LANES)

    def _laid_out(self, space: str, start: int, more: int) -> Region:
        end = 0
        parts: list[tuple[int, bytes]] = []
        variables = sorted(self.kernel.variables.items(), key=lambda item: item[1].bytes == 0)  # the dynamic one last
        for name, variable in variables:
            if variable.space == space:
                end = -(-end // 16) * 16
                self.symbols[name] = start + end
                parts.append((end, variable.values))
                end += variable.bytes
        data = np.zeros(end + more, np.uint8)
        for place, values in parts:
            data[place : place + len(values)] = np.frombuffer(values, np.uint8)
        return Region(start, data)

    def _special(self, warp: int, launched: Launched, position: tuple[int, ...]) -> dict[str, Lanes]:
        thread = np.arange(LANES, dtype=np.uint32) + np.uint32(warp * LANES)
        x, y, z = launched.group
        parts = (thread % x, thread // x % y, thread // (x * y) % z)
        found = {"%laneid": np.arange(LANES, dtype=np.uint32)}
        for axis, letter in enumerate("xyz"):
            found[f"%tid.{letter}"] = parts[axis].astype(np.uint32)
            for name, values in (("ntid", launched.group), ("ctaid", position), ("nctaid", launched.groups)):
                found[f"%{name}.{letter}"] = np.full(LANES, values[axis], np.uint32)
        return found

    def run(self) -> None:
        steps = 0
        while True:
            ran = 0
            for warp in self.warps:
                ran += self._turn(warp)
            steps += ran
            if steps > MOST_STEPS:
                raise PtxFault("the threads do not come to an end")
            if ran:
                continue
            waiting = [(warp, lane) for warp in self.warps for lane in warp.at_barrier]
            alive = sum(LANES - len(warp.gone) for warp in self.warps)
            if not alive:
                return
            if len(waiting) != alive:
                raise PtxFault(f"a barrier was reached by {len(waiting)} of {alive} threads")
            for warp, lane in waiting:
                warp.at_barrier.discard(lane)
                warp.places[lane] += 1

    def _turn(self, warp: Warp) -> int:
        """Runs one group of lanes for a while; how many instructions that were."""
        warp.let_go()
        groups = warp.groups()
        if not groups:
            return 0
        lanes = groups[warp.turn % len(groups)]
        warp.turn += 1
        ran = tried = 0
        while ran < SLICE:
            before = warp.places[lanes[0]]
            ran += 1
            tried |= self.kernel.code[before].name in ("atom", "red")
            if not Step(self, warp, lanes, self.kernel.code[before]).run():
                break
            if self._would_wait(warp, lanes):
                break
        warp.tries = warp.tries + 1 if tried else 0
        return ran

    @staticmethod
    def _would_wait(warp: Warp, lanes: tuple[int, ...]) -> bool:
        meetings = warp.meetings[lanes[0]]
        return bool(meetings) and meetings[-1].place == warp.places[lanes[0]]


def execute(launched: Launched, memory: dict[int, int], ptx: str) -> None:
    """Runs a launch of ``ptx`` on this process's memory: ``memory`` has bytes by address. Raises ``PtxFault``."""
    kernel = read(ptx, launched.name)
    assert kernel.parameter_bytes == len(launched.parameter)
    regions = [
        Region(address, np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)))
        for address, size in memory.items()
        if size
    ]
    with np.errstate(all="ignore"):
        for z, y, x in product(*(range(count) for count in reversed(launched.groups))):
            Group(kernel, launched, (x, y, z), regions).run()
