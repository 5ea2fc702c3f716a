"""Timed blocks: the same loop for candidates and baselines, driven call by call numbers from outside.

The judge first asks to *prepare* a block (for each call a fresh copy of inputs at a new address with one element
changed in a secret place, cache flushed), then says *go* and measures with its own clock until the answer comes. The
stamps taken inside are only believed as far as that clock agrees. Afterwards it may ask for the outputs of any calls
that were kept.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernelwright.platforms import Platform
from kernelwright.problems.structure import flatten, map_leaves

_clock = time.perf_counter_ns
KEPT_BYTES = 64 << 20


def change_element(inputs: Any, change: dict[str, Any] | None) -> None:
    """Write one value into one element of one floating input, in place.

    ``change`` holds ``input`` (the leaf's position in ``flatten(inputs)``), ``position`` (row-major) and ``value``.
    """
    if change is None:
        return
    leaf = flatten(inputs)[0][change["input"]]
    index: list[int] = []
    rest = change["position"]
    for size in reversed(leaf.shape):
        index.append(rest % size)
        rest //= size
    leaf[tuple(reversed(index))] = change["value"]


def copy_inputs(inputs: Any) -> Any:
    """Fresh memory for every tensor, strides kept; other values as they are."""
    return map_leaves(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, inputs)


def tensor_bytes(value: Any) -> int:
    """Bytes of every tensor in ``value``, views counted as if they were dense."""
    return sum(t.numel() * t.element_size() for t in flatten(value)[0] if isinstance(t, torch.Tensor))


class Bench:
    """Holds the input sets of one problem and runs blocks of calls on them."""

    def __init__(self, platform: Platform):
        self.platform = platform
        self.inputs: dict[int, Any] = {}
        self._copies: list[Any] = []
        self._call: Callable[..., Any] | None = None
        self._kept: dict[int, Any] = {}

    def prepare(self, call: Callable[..., Any], slots: Sequence[int], changes: Sequence[dict[str, Any] | None]) -> None:
        """Lay out one fresh input set for each call to come: call i gets ``slots[i]`` with ``changes[i]`` applied."""
        self._kept.clear()
        self._copies.clear()
        self._call = call
        for slot, change in zip(slots, changes, strict=True):
            fresh = copy_inputs(self.inputs[slot])
            change_element(fresh, change)
            self._copies.append(fresh)
        self.platform.synchronize()
        self.platform.flush_cache()
        self.platform.synchronize()

    def go(self) -> dict[str, Any]:
        """Run the prepared block. Returns milliseconds per call as stamped on the device, and for the whole loop."""
        call, copies = self._call, self._copies
        assert call is not None
        platform = self.platform
        between = platform.flush_between_calls
        stamps = platform.stamps(len(copies))
        room = KEPT_BYTES
        with torch.no_grad():
            platform.synchronize()
            began = _clock()
            for i, inputs in enumerate(copies):
                if between:
                    platform.synchronize()  # work that was hidden on another stream must not hide behind the flush
                    platform.flush_cache()
                stamps.start(i)
                output = call(*inputs)
                stamps.stop(i)
                room = self._keep(i, output, room)
            platform.synchronize()
            inside = (_clock() - began) / 1e6
        return {"ms": stamps.milliseconds(), "inside_ms": inside, "kept": list(self._kept)}

    def _keep(self, i: int, output: Any, room: int) -> int:
        """Keep this output for a later check: all while they are small, a random one of the large ones.

        The choice is made after the call returned, so that no call can know whether it will be looked at.
        """
        size = tensor_bytes(output)
        if size <= room:
            self._kept[i] = output
            return room - size
        if not self._kept or os.urandom(1)[0] < 64:
            self._kept.clear()
            self._kept[i] = output
            return 0
        return room

    def outputs(self, calls: Sequence[int]) -> list[Any]:
        """What these calls returned. Raises ``KeyError`` for one that was not kept."""
        return [self._kept[i] for i in calls]

    def forget(self) -> None:
        """Nothing will be timed any more."""
        self.clear()
        self.inputs.clear()

    def clear(self) -> None:
        """Forget copies and outputs, so that an idle process holds no memory that the other one needs."""
        self._kept.clear()
        self._copies.clear()
