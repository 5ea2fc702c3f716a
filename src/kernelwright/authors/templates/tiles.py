"""How a product is cut into blocks: what is chosen for a shape, and what is tried where it can be measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """``batch`` products of (rows × depth) and (depth × columns) matrices."""

    batch: int
    rows: int
    columns: int
    depth: int

    @property
    def flops(self) -> int:
        return 2 * self.batch * self.rows * self.columns * self.depth

    def __str__(self) -> str:
        times = f"{self.batch} x " if self.batch > 1 else ""
        return f"{times}({self.rows}, {self.depth}) @ ({self.depth}, {self.columns})"


@dataclass(frozen=True, slots=True)
class Tile:
    """One block of a result: its size, the step along the summed axis, warps and stages of loads in flight.

    ``splits`` cuts the summed axis: each part is a product of its own, and the parts are added up afterwards.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int
    splits: int = 1


LARGE = Tile(128, 128, 64, 8, 3)
TILES = (LARGE, Tile(64, 128, 64, 4, 3), Tile(128, 64, 64, 4, 3), Tile(64, 64, 64, 4, 4), Tile(32, 64, 64, 4, 4))
"""The fastest of some twenty on an H200 for large products, and smaller ones for products with few blocks.

With (64 + 64) · 64 · 2 · 2 bytes a stage or more, in up to 192 KiB of shared memory.
"""
FILLS = 132
"""Streaming multiprocessors of an H100."""
LONG = 4096
"""Summed axes from this length on are cut where there are too few blocks for all multiprocessors."""


def tile_for(shape: Shape, processors: int = FILLS) -> Tile:
    """The largest tile of which there are enough to keep every multiprocessor busy; cut along the depth at need."""
    chosen = TILES[-1]
    for tile in TILES:
        if 4 * blocks(shape, tile) >= 3 * processors:
            chosen = tile
            break
    else:
        if shape.batch == 1 and shape.depth >= LONG:
            return _cut(shape, LARGE if min(shape.rows, shape.columns) >= 128 else TILES[3], processors)
    return chosen


def _cut(shape: Shape, tile: Tile, processors: int) -> Tile:
    """Into as many equal parts as it takes to fill the device once, each a whole number of steps."""
    splits = 1
    while blocks(shape, tile) * splits < processors and shape.depth % (2 * splits * tile.depth) == 0:
        splits *= 2
    return Tile(tile.rows, tile.columns, tile.depth, tile.warps, tile.stages, splits)


def blocks(shape: Shape, tile: Tile) -> int:
    """How many blocks the result is cut into."""
    return shape.batch * -(-shape.rows // tile.rows) * -(-shape.columns // tile.columns)
