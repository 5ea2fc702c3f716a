"""How a reduction's axes lie in memory, how its elements are reached, and how they are cut into blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

KEPT = 1 << 15
"""Elements of a row (or of rows side by side) that one program keeps: 32 in each of 1024 threads, half their registers
(compiled for an H100, rows of 20,000 elements spill nothing, rows of 32,768 some 20 registers, into the L1 cache). Each
further operand of the same size takes as much again."""
STEP = 4096
"""Elements of a block in a loop: 16 in each of 256 threads, four 16-byte loads on their way from each. With some 1,000
threads on a multiprocessor these are 64 KiB; an H100 needs about 40 KiB (3.35 TB/s for some 1.5 µs under load over 132)
to be limited by its bandwidth."""
IN_CACHE = (40 << 20) // (132 * 4)
"""Elements of a row such that one on each multiprocessor of an H100 stay in its L2 cache of 50 MB: programs of 1024
threads, which leave no room for a second one, then read the row for the second time from there."""
BESIDE = 128
"""Rows that lie side by side and are read so, where they are many: 512 bytes, one 16-byte load of a whole warp."""
LINE = 32
"""128 bytes: a line of the cache."""
FEWEST_BESIDE = 16
"""64 bytes: two sectors of 32, the smallest that DRAM gives."""
FILLS = 132 * 2
"""Programs of which an H100 has work for all of its multiprocessors; fewer rows are cut into parts."""
PROGRAMS = 132 * 8
SHARE = 1 << 14
"""Elements of a row that one of several programs keeps: 32 in each of 512 threads, which get 64 registers each, so that
two programs share a multiprocessor: one reads or writes while the other waits for those that have the rest of its
row."""
FEWEST_GROUPS = 4
"""Rows on their way at the same time: with fewer, all programs wait at once."""
OUT_OF_CACHE = 100 << 20
"""Bytes of a tensor from which on nothing of it is left in an H100's L2 cache of 50 MB for a second pass."""
MOST_PARTS = 1024
MOST_JOINED = 8192
"""Statistics of parts, of all the rows of a block, that a program reads at once."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A tensor as ``outer`` axes, axes of the ``length`` of a row, and ``inner`` axes."""

    outer: tuple[int, ...]
    length: tuple[int, ...]
    inner: tuple[int, ...]
    split: tuple[int, int] | None = None
    """An axis of the tensor of which the second part, with this size, belongs to the row (channels of a group)."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        return prod(self.outer), prod(self.length), prod(self.inner)

    @property
    def elements(self) -> int:
        return prod(self.sizes)

    def reads(self, shape: Sequence[int], pointer: str) -> str | None:
        """The load of a block's part of an operand, by its shape (of the tensor's rank, ones where it is broadcast)."""
        refined = list(shape)
        if self.split is not None:
            axis, size = self.split
            if refined[axis] == 1:
                refined[axis : axis + 1] = [1, 1]
            elif refined[axis] % size:
                return None
            else:
                refined[axis : axis + 1] = [refined[axis] // size, size]
        if any(n not in (1, whole) for n, whole in zip(refined, self._all, strict=True)):
            return None
        variables = ("outer[:, None]", "r[None, :]", "inner[:, None]")
        used, terms = self._terms(refined, variables)
        lanes, along = used[0] or used[2], used[1]
        mask = ("inside" if lanes else "r_inside[None, :]") if along else "row_inside[:, None]"
        place = " + ".join(terms)
        if along and not any(variable in place.split(" + ") for variable in variables):
            # threads are to lie along the row, as for what is read beside it: see kernels/windows.py
            place = f"tl.max_contiguous(tl.multiple_of({place}, (1, 1)), (1, BLOCK))"
        return f"tl.load({pointer} + {place}, mask={mask}, other=0.0)" if terms else f"tl.load({pointer})"

    def reads_of_rows(self, shape: Sequence[int], pointer: str) -> str | None:
        """The load of one value for each row, by the shape of an operand with ones in place of the row's axes."""
        if self.split is not None or any(n not in (1, whole) for n, whole in zip(shape, self._all, strict=True)):
            return None
        used, terms = self._terms(shape, ("outer", "r", "inner"))
        if used[1]:
            return None
        return (
            f"tl.load({pointer} + {' + '.join(terms)}, mask=row_inside, other=0.0)" if terms else f"tl.load({pointer})"
        )

    @property
    def _all(self) -> tuple[int, ...]:
        return (*self.outer, *self.length, *self.inner)

    def _terms(self, shape: Sequence[int], variables: Sequence[str]) -> tuple[list[bool], list[str]]:
        """Per group of axes whether an operand varies along it, and the sum that is an element's place in it."""
        starts = (0, len(self.outer), len(self.outer) + len(self.length), len(self._all))
        used: list[bool] = []
        terms: list[str] = []
        for variable, start, stop in zip(variables, starts[:-1], starts[1:], strict=True):
            found = _places(self._all[start:stop], shape[start:stop], prod(shape[stop:]), variable)
            used.append(bool(found))
            terms += found
        return used, terms


def _places(whole: Sequence[int], shape: Sequence[int], stride: int, variable: str) -> list[str]:
    """Terms of an offset: ``variable`` counts through ``whole``, of which the operand has the axes that are not 1.

    ``stride``: of the last axis, in elements of the operand.
    """
    terms: list[str] = []
    axis, below = len(whole), 1
    while axis:
        kept = shape[axis - 1] == whole[axis - 1]
        run = 1
        while axis and (shape[axis - 1] == whole[axis - 1]) == kept:
            axis -= 1
            run *= whole[axis]
        if kept and run > 1:
            term = variable if below == 1 else f"{variable} // {below}"
            if prod(whole[:axis]) > 1:
                term = f"({term}) % {run}" if below > 1 else f"{term} % {run}"
            terms.append(term if stride == 1 else f"({term}) * {stride}" if " " in term else f"{term} * {stride}")
        stride *= run if kept else 1
        below *= run
    return terms


def shares(rows: Rows, operands: int) -> int:
    """How many programs keep a row together, all of them running at once; 0 where another way is better."""
    _, length, inner = rows.sizes
    parts = -(-length // SHARE)
    fits = inner == 1 and operands == 1 and length > IN_CACHE and parts * FEWEST_GROUPS <= FILLS
    full = 4 * length >= 3 * parts * SHARE and 4 * rows.elements >= OUT_OF_CACHE
    return parts if fits and full else 0


@dataclass(frozen=True, slots=True)
class Cut:
    """Blocks of ``lanes`` rows by ``block`` elements. ``kept``: a block holds whole rows. ``parts`` of each row."""

    lanes: int
    block: int
    warps: int
    kept: bool
    parts: int = 1
    part: int = 0
    """Elements of a part."""


def cut(rows: Rows, operands: int, *, result: bool) -> Cut:
    """How rows are cut, of which ``operands`` tensors are read. ``result``: one value for each row is all there is."""
    outer, length, inner = rows.sizes
    whole = power_of_two(length)
    beside = min(BESIDE, power_of_two(inner))
    if not result:
        room = _floor(KEPT // max(operands, 1)) // whole
        lanes = min(beside if inner > 1 else max(STEP // whole, 1), room)
        # two programs or more on a multiprocessor: one reads while another computes
        while inner > 1 and lanes > LINE and lanes * whole > 2 * STEP:
            lanes //= 2
        enough = min(FEWEST_BESIDE, beside) if inner > 1 else 1
        while lanes > enough and _blocks(rows, lanes) < FILLS:
            lanes //= 2
        if lanes >= enough and (_blocks(rows, lanes) >= FILLS // 4 or whole <= STEP):
            return Cut(lanes, whole, _warps(lanes * whole), kept=True)
    lanes = beside if inner > 1 else max(STEP // whole, 1)
    while lanes > FEWEST_BESIDE and whole < STEP and _blocks(rows, lanes) < FILLS:
        lanes //= 2
    block = max(min(STEP // lanes, whole), 1)
    if not result and inner == 1 and length * max(operands, 1) <= IN_CACHE and outer >= FILLS:
        return Cut(1, 4 * STEP, 32, kept=False)
    programs = _blocks(rows, lanes)
    most = min(PROGRAMS // programs, MOST_JOINED // lanes, MOST_PARTS, -(-length // block))
    parts = 1 if programs >= FILLS else max(most, 1)
    part = -(-length // (parts * block)) * block
    return Cut(lanes, block, _warps(lanes * block), kept=False, parts=-(-length // part), part=part)


def _blocks(rows: Rows, lanes: int) -> int:
    outer, _, inner = rows.sizes
    return -(-outer // lanes) if inner == 1 else outer * -(-inner // lanes)


def _warps(elements: int) -> int:
    """16 elements in a thread, as far as 1024 threads reach: four 16-byte loads on their way from each."""
    return max(4, min(32, elements // 512))


def power_of_two(n: int) -> int:
    """The smallest one that is not below ``n``."""
    return 1 << (n - 1).bit_length()


def _floor(n: int) -> int:
    """The largest power of two that is not above ``n``."""
    return 1 << (n.bit_length() - 1)
