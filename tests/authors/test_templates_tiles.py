"""How products are cut into tiles: what fits a shape, and what is measured where there is a device."""

from pathlib import Path
from typing import Any

import pytest
import torch
import triton
from hypothesis import given
from hypothesis import strategies as st
from triton.backends.compiler import GPUTarget

from kernelwright.authors.templates import tuning
from kernelwright.authors.templates.tiles import (
    CANDIDATES,
    FILLS,
    SHALLOW,
    WIDE,
    Lie,
    Shape,
    Tile,
    blocks,
    cut,
    filled,
    shallow,
    tile_for,
)
from kernelwright.authors.templates.tuning import Tuner
from kernelwright.judge.gate import DeviceGate, Gate


class PaperProduct:
    """Takes as long as it says, or is too much when it is first called."""

    def __init__(self, ms: float) -> None:
        self._ms = ms

    def once(self) -> None:
        if self._ms < 0:
            raise RuntimeError("out of resource: registers")

    def milliseconds(self) -> float:
        return self._ms


def tuner(path: Path, times: dict[Tile, float], asked: list[Tile], gate: Gate | None = None) -> Tuner:
    def build(shape: Shape, lie: Lie, tile: Tile) -> PaperProduct:
        del shape, lie
        assert gate is None or not gate.inside, "compiling keeps nobody from the device"
        asked.append(tile)
        if tile not in times:
            raise RuntimeError("out of resource: shared memory")
        return PaperProduct(times[tile])

    return Tuner(path, build, gate)


def test_the_fastest_tile_is_measured_once_for_all_processes(tmp_path: Path) -> None:
    path, shape, asked = tmp_path / "deep" / "tiles.json", Shape(1, 512, 512, 512), list[Tile]()
    times = {CANDIDATES[0]: 3.0, CANDIDATES[2]: 1.0, CANDIDATES[3]: 2.0}
    assert tuner(path, times, asked)(shape, Lie.NN) == CANDIDATES[2]
    assert set(asked) == set(CANDIDATES)
    again = list[Tile]()
    assert tuner(path, {}, again)(shape, Lie.NN) == CANDIDATES[2] and again == []
    assert tuner(path, {CANDIDATES[1]: 1.0}, again)(shape, Lie.NT) == CANDIDATES[1]
    assert tuner(path, {}, list[Tile]())(shape, Lie.NN) == CANDIDATES[2]


def test_a_tile_that_compiles_and_does_not_run_is_left_out(tmp_path: Path) -> None:
    times = {CANDIDATES[0]: 3.0, CANDIDATES[2]: -1.0}
    gate = DeviceGate(tmp_path / "gate")
    assert tuner(tmp_path / "tiles.json", times, [], gate)(Shape(1, 512, 512, 512), Lie.NN) == CANDIDATES[0]


class FarDevice:
    """Triton's driver on a machine without the GPU that it compiles for: it can tell what that is, and no more."""

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return device

    def get_current_target(self) -> Any:
        return GPUTarget("cuda", 90, 32)


def test_a_tile_is_compiled_without_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for the very arguments that it is called with: else the call would compile it again, with the device held."""
    monkeypatch.setattr(triton.runtime.driver, "_active", FarDevice())
    shape, lie, tile = Shape(2, 64, 128, 256), Lie.NT, CANDIDATES[3]
    product = tuning._Stand().build(shape, lie, tile)
    [(compiled, *_)] = product.kernel.device_caches.values()
    assert len(compiled) == 1
    half, single = torch.empty(16, dtype=torch.float16), torch.empty(16)
    numbers, grid, options = tuning._launch(shape, lie, tile)
    tensors = half, half, single, half, half, single, single
    product.kernel.run(*tensors, *numbers, grid=grid, warmup=True, **options)
    assert len(compiled) == 1


def test_where_nothing_can_be_measured_the_size_decides(tmp_path: Path) -> None:
    shape = Shape(1, 4096, 4096, 4096)
    assert tuner(tmp_path / "tiles.json", {}, [])(shape, Lie.NN) == tile_for(shape)
    (tmp_path / "broken.json").write_text("{")
    assert tuner(tmp_path / "broken.json", {CANDIDATES[1]: 1.0}, [])(shape, Lie.NN) == CANDIDATES[1]


@given(st.integers(16, 4096), st.integers(16, 4096), st.sampled_from([4096, 6000, 1 << 19]))
def test_cuts_are_whole_and_fill_the_device(rows: int, columns: int, depth: int) -> None:
    shape = Shape(1, rows, columns, depth)
    for tile in cut(shape, CANDIDATES):
        assert depth % (tile.splits * tile.depth) == 0
        assert FILLS <= blocks(shape, tile) * tile.splits <= 4 * FILLS


@given(st.integers(1, 1 << 16), st.sampled_from([16, 64]))
def test_a_side_is_filled_up_only_where_no_wide_load_fits(side: int, step: int) -> None:
    found = filled(side, step)
    assert found % WIDE == 0 and side <= found < side + step
    assert (found == side) == (side % WIDE == 0)


@given(st.integers(32, 512))
def test_tiles_for_short_sums_hold_no_more_than_there_is(depth: int) -> None:
    found = list(shallow(Shape(1, 4096, 4096, depth)))
    assert bool(found) == (depth <= SHALLOW)
    assert all(tile.depth <= depth and tile.stages <= 2 and tile.splits == 1 for tile in found)
