"""How a product is cut into blocks: what is chosen for a shape, and what is tried where it can be measured."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from enum import Enum


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


class Lie(Enum):
    """How two operands lie in memory: ``n`` along the summed axis, ``t`` across it."""

    NN = "nn"
    NT = "nt"
    TN = "tn"
    TT = "tt"

    @property
    def a_by_rows(self) -> bool:
        return self.value[0] == "n"

    @property
    def b_by_rows(self) -> bool:
        return self.value[1] == "n"


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

    @property
    def values(self) -> tuple[int, ...]:
        return astuple(self)


LARGE = Tile(128, 128, 64, 8, 3)
TILES = (LARGE, Tile(64, 128, 64, 4, 3), Tile(128, 64, 64, 4, 3), Tile(64, 64, 64, 4, 4), Tile(32, 64, 64, 4, 4))
"""The fastest of some twenty on an H200 for large products, and smaller ones for products with few blocks.

With (64 + 64) · 64 · 2 · 2 bytes a stage or more, in up to 192 KiB of shared memory.
"""
CANDIDATES = (*TILES, Tile(128, 128, 32, 8, 4), Tile(64, 256, 32, 8, 3), Tile(64, 64, 32, 4, 5))
"""What is tried where it can be measured."""
WIDE = 16
"""Elements of which a row must be a multiple for Triton to load several at once."""
SHALLOW = 128
"""Summed axes up to this length are over before loads in flight pay."""
FILLS = 132
"""Streaming multiprocessors of an H100."""
LONG = 4096
"""Summed axes from this length on are cut where there are too few blocks for all multiprocessors."""


def tile_for(shape: Shape, processors: int = FILLS) -> Tile:
    """The largest tile of which there are enough to keep most multiprocessors busy; cut along the depth at need."""
    for tile in TILES:
        if 4 * blocks(shape, tile) >= 3 * processors:
            return tile
    if shape.batch == 1 and shape.depth >= LONG:
        tile = LARGE if min(shape.rows, shape.columns) >= 128 else TILES[3]
        splits = 1
        while blocks(shape, tile) * splits < processors and _divides(shape, tile, 2 * splits):
            splits *= 2
        return replace(tile, splits=splits)
    return TILES[-1]


def cut(shape: Shape, tiles: Iterable[Tile], processors: int = FILLS) -> Iterator[Tile]:
    """These tiles with the summed axis cut until there are one to four times as many blocks as multiprocessors."""
    if shape.batch > 1 or shape.depth < LONG:
        return
    for tile in tiles:
        splits = 2
        while _divides(shape, tile, splits):
            if processors <= blocks(shape, tile) * splits <= 4 * processors:
                yield replace(tile, splits=splits)
            splits *= 2


def shallow(shape: Shape) -> Iterator[Tile]:
    """Tiles that hold one or two steps of a short summed axis: several programs fit side by side, and some of them
    store while others multiply.
    """
    if shape.depth > SHALLOW:
        return
    for tile in (*TILES[:4], Tile(64, 256, 64, 8, 3)):
        for depth in (32, 64):
            if depth <= shape.depth:
                yield replace(tile, depth=depth, stages=min(2, -(-shape.depth // depth)))


def filled(side: int, step: int) -> int:
    """The length to which a side is filled up with zeros: its own, unless no wide load fits its rows."""
    return side if side % WIDE == 0 else -(-side // step) * step


def _divides(shape: Shape, tile: Tile, splits: int) -> bool:
    return shape.depth % (splits * tile.depth) == 0


def blocks(shape: Shape, tile: Tile) -> int:
    """How many blocks the result is cut into."""
    return shape.batch * -(-shape.rows // tile.rows) * -(-shape.columns // tile.columns)
