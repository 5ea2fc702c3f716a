"""One PTX instruction of some lanes of a warp."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from ptx_text import Instruction
from ptx_values import ATOMIC, BITS, COMPARISONS, OPERATIONS, Lanes, PtxFault, dtype_of
from ptx_warp import LANES, Meeting, Region, Warp

if TYPE_CHECKING:
    from ptx_machine import Group


class Step:
    """One instruction of some lanes."""

    def __init__(self, group: "Group", warp: Warp, lanes: tuple[int, ...], instruction: Instruction):
        self.group, self.warp, self.lanes, self.instruction = group, warp, lanes, instruction
        self.who = np.array(lanes)
        self.kind = instruction.operation[-1]

    def run(self) -> bool:
        """False: the lanes part, wait or end here."""
        instruction = self.instruction
        if instruction.guard:
            holds = self.read(instruction.guard, "pred") != instruction.negated
            if instruction.name == "bra":
                return self.branch(holds)
            self.who = self.who[holds]
        match instruction.name:
            case "bra":
                return self.go(self.lanes, self.group.kernel.labels[instruction.operands[0]])
            case "ret" | "exit":
                self.warp.gone.update(self.lanes)
                return False
            case "bar" if instruction.operation[1] == "sync":
                self.warp.at_barrier.update(self.lanes)
                return False
            case name:
                if len(self.who):
                    getattr(self, f"do_{name}")()
        return self.go(self.lanes, self.warp.places[self.lanes[0]] + 1)

    def go(self, lanes: Iterable[int], place: int) -> bool:
        for lane in lanes:
            self.warp.places[lane] = place
        return True

    def branch(self, holds: Lanes) -> bool:
        here = self.warp.places[self.lanes[0]]
        there = self.group.kernel.labels[self.instruction.operands[0]]
        if holds.all() or not holds.any():
            return self.go(self.lanes, there if holds.all() else here + 1)
        if here in self.group.kernel.meets:
            meeting = Meeting(self.group.kernel.meets[here], set(self.lanes))
            for lane in self.lanes:
                self.warp.meetings[lane].append(meeting)
        self.go(self.who[holds], there)
        self.go(self.who[~holds], here + 1)
        return False

    # ---- operands

    def read(self, operand: str, kind: str) -> Lanes:
        if operand.startswith("%p"):
            return self.warp.registers[operand][self.who]
        if operand.startswith("%"):
            values = self.warp.registers[operand][self.who]
            wanted = dtype_of(kind)
            return values.view(wanted) if values.dtype.itemsize == wanted.itemsize else values.astype(wanted)
        if kind == "pred":
            return np.full(len(self.who), int(operand) != 0)
        return np.full(len(self.who), self.constant(operand, kind))

    def constant(self, operand: str, kind: str) -> Any:
        wanted = dtype_of(kind)
        if operand in self.group.symbols:
            return np.uint64(self.group.symbols[operand]).astype(wanted)
        digits = operand.rstrip("U")
        number = int(digits[2:], 16) if digits.startswith(("0f", "0d", "0x")) else int(digits)
        bits = BITS[8 * wanted.itemsize](number % (1 << 8 * wanted.itemsize))
        return bits.view(wanted)

    def write(self, operand: str, values: Lanes) -> None:
        if operand.startswith("%p"):
            self.warp.registers.setdefault(operand, np.zeros(LANES, bool))[self.who] = values
            return
        width = 64 if operand.startswith(("%rd", "%fd", "%SP")) else 16 if operand.startswith(("%rs", "%h")) else 32
        register = self.warp.registers.setdefault(operand, np.zeros(LANES, BITS[width]))
        if values.dtype.itemsize * 8 != width:  # narrow ones are extended by their sign
            values = values.astype(np.dtype(f"{'i' if values.dtype.kind == 'i' else 'u'}{width // 8}"))
        register[self.who] = values.view(BITS[width])

    def inputs(self, kind: str | None = None) -> list[Lanes]:
        return [self.read(operand, kind or self.kind) for operand in self.instruction.operands[1:]]

    def result(self, values: Lanes) -> None:
        self.write(self.instruction.operands[0], values)

    # ---- memory

    def places(self, operand: str) -> Lanes:
        base, sign, offset = operand.strip("[]").partition("+")
        if not sign:
            base, sign, offset = operand.strip("[]").partition("-")
        moved = int(offset or 0) * (-1 if sign == "-" else 1)
        return self.read(base, "u64") + np.uint64(moved % (1 << 64))

    def region(self, address: int, size: int) -> Region:
        for region in (*self.group.regions, self.warp.local):
            if region.address <= address and address + size <= region.end:
                if address % size:
                    raise PtxFault(f"{self.instruction}: misaligned address {address:#x}")
                return region
        raise PtxFault(f"{self.instruction}: address {address:#x} is in no memory that was handed over")

    def cells(self, address: int, size: int, lane: int) -> np.ndarray:
        region = self.region(address, size)
        data = region.data[lane] if region.rows else region.data
        return data[address - region.address :][:size]

    def vector(self, operand: str) -> list[str]:
        return [name.strip() for name in operand.strip("{}").split(",")]

    def do_ld(self) -> None:
        targets, size = self.vector(self.instruction.operands[0]), dtype_of(self.kind).itemsize
        found = np.empty((len(self.who), len(targets)), dtype_of(self.kind))
        for i, (address, lane) in enumerate(zip(self.places(self.instruction.operands[1]), self.who, strict=True)):
            for part in range(len(targets)):
                found[i, part] = self.cells(int(address) + part * size, size, lane).view(dtype_of(self.kind))[0]
        for part, target in enumerate(targets):
            self.write(target, found[:, part].copy())

    def do_st(self) -> None:
        sources, size = self.vector(self.instruction.operands[1]), dtype_of(self.kind).itemsize
        values = [self.read(source, self.kind) for source in sources]
        for i, (address, lane) in enumerate(zip(self.places(self.instruction.operands[0]), self.who, strict=True)):
            for part, column in enumerate(values):
                self.cells(int(address) + part * size, size, lane)[:] = column[i : i + 1].view(np.uint8)

    def do_atom(self) -> None:
        target, where, *operands = self.instruction.operands
        (name,) = (word for word in self.instruction.operation if word in ATOMIC)
        kind, given = dtype_of(self.kind), [self.read(operand, self.kind) for operand in operands]
        old = np.empty(len(self.who), kind)
        for i, (address, lane) in enumerate(zip(self.places(where), self.who, strict=True)):
            cell = self.cells(int(address), kind.itemsize, lane).view(kind)
            old[i] = cell[0]
            cell[0] = ATOMIC[name](cell[0], *(values[i] for values in given))
        self.write(target, old)

    def do_red(self) -> None:
        self.instruction = Instruction(self.instruction.operation, ("%unused", *self.instruction.operands))
        self.write("%unused", np.zeros(len(self.who), np.uint32))
        self.do_atom()

    def do_membar(self) -> None:
        """Memory is the same for all at once."""

    do_fence = do_membar

    # ---- lanes

    def those_named(self, mask: Lanes) -> None:
        here = sum(1 << lane for lane in self.who)
        for lane, named in zip(self.who, mask, strict=True):
            alive = int(named) & ~sum(1 << gone for gone in self.warp.gone)
            if alive & ~here or not alive >> int(lane) & 1:
                raise PtxFault(f"{self.instruction}: lane {lane} names {int(named):#x}, here are {here:#x}")

    def do_activemask(self) -> None:
        self.result(np.full(len(self.who), sum(1 << int(lane) for lane in self.who), np.uint32))

    def do_bar(self) -> None:
        self.those_named(self.read(self.instruction.operands[0], "u32"))

    def do_shfl(self) -> None:
        value, source, _, mask = self.inputs("u32")
        self.those_named(mask)
        every = np.zeros(LANES, np.uint32)
        every[self.who] = value
        for lane, asked, named in zip(self.who, source, mask, strict=True):
            if not int(named) >> (int(asked) % LANES) & 1:
                raise PtxFault(f"{self.instruction}: lane {lane} asks lane {asked}, which is not in {int(named):#x}")
        self.result(every[source % LANES])

    def do_vote(self) -> None:
        votes, mask = self.read(self.instruction.operands[1], "pred"), self.read(self.instruction.operands[2], "u32")
        self.those_named(mask)
        ballot = sum(1 << int(lane) for lane, vote in zip(self.who, votes, strict=True) if vote)
        self.result(mask & np.uint32(ballot))

    # ---- arithmetic

    def __getattr__(self, name: str) -> Callable[[], None]:
        operation = name.removeprefix("do_")
        if operation not in OPERATIONS:
            raise PtxFault(f"unknown instruction {self.instruction}")

        def run() -> None:
            values = OPERATIONS[operation](*self.inputs())
            self.result(values.astype(dtype_of(self.kind)) if self.kind != "pred" else values)

        return run

    def do_mov(self) -> None:
        target, source = self.instruction.operands
        if self.kind == "pred":
            self.result(self.read(source, "pred"))
            return
        bits = int(self.kind[1:])
        sources, targets = self.vector(source), self.vector(target)
        parts = [self.read(part, f"b{bits // len(sources)}") for part in sources]
        wide = np.stack(parts, axis=1).view(BITS[bits // len(targets)])  # low parts first
        for part, name in enumerate(targets):
            if name != "_":
                self.write(name, wide[:, part].copy())

    def do_prmt(self) -> None:
        """Bytes of two words: a selector has four bits for each byte, the highest asks for copies of the sign."""
        low, high, selector = self.inputs("u32")
        every = np.stack((low, high), axis=1).view(np.uint8)
        found = np.zeros((len(self.who), 4), np.uint8)
        for byte in range(4):
            nibble = selector >> (4 * byte) & 0xF
            picked = every[np.arange(len(self.who)), nibble & 7]
            found[:, byte] = np.where(nibble & 8, np.where(picked & 0x80, 0xFF, 0), picked)
        self.result(found.view(np.uint32)[:, 0])

    def do_cvta(self) -> None:
        self.result(self.read(self.instruction.operands[1], "u64"))  # all spaces lie in one

    def do_mul(self) -> None:
        self.product(None)

    def do_mad(self) -> None:
        self.product(self.instruction.operands[3])

    def product(self, added: str | None) -> None:
        x, y = (self.read(operand, self.kind) for operand in self.instruction.operands[1:3])
        kind = dtype_of(self.kind)
        if "wide" in self.instruction.operation:
            kind = np.dtype(f"{kind.kind}{2 * kind.itemsize}")
            found = x.astype(kind) * y.astype(kind)
        elif "hi" in self.instruction.operation:
            exact = [int(a) * int(b) >> 8 * kind.itemsize for a, b in zip(x, y, strict=True)]
            found = np.array(exact, dtype=object).astype(kind)
        else:
            found = (x * y).astype(kind)
        if added:
            found = (found + self.read(added, f"{kind.kind.replace('i', 's')}{8 * kind.itemsize}")).astype(kind)
        self.result(found)

    def do_add(self) -> None:
        self.carried(1)

    def do_sub(self) -> None:
        self.carried(-1)

    do_addc, do_subc = do_add, do_sub

    def carried(self, sign: int) -> None:
        """Sums and differences, with the carry of wide ones."""
        x, y = self.inputs()
        if x.dtype.kind == "f" or not {"cc", "addc", "subc"} & set(self.instruction.operation):
            self.result((x + y if sign > 0 else x - y).astype(x.dtype))
            return
        unsigned = BITS[8 * x.dtype.itemsize]
        bits = 8 * x.dtype.itemsize
        carry = (
            self.read("%carry", "u32") if self.instruction.name.endswith("c") else np.zeros(len(self.who), np.uint32)
        )
        pairs = zip(x.view(unsigned), y.view(unsigned), carry, strict=True)
        exact = [int(a) + sign * (int(b) + int(c)) for a, b, c in pairs]
        self.result(np.array([number % (1 << bits) for number in exact], unsigned))
        if "cc" in self.instruction.operation:
            self.write("%carry", np.array([number >> bits & 1 for number in exact], np.uint32))

    def do_shf(self) -> None:
        low, high, by = self.inputs("u32")
        amount = (by & 31 if "wrap" in self.instruction.operation else np.minimum(by, 32)).astype(np.uint64)
        both = high.astype(np.uint64) << np.uint64(32) | low
        left = "l" in self.instruction.operation
        self.result((both << amount >> np.uint64(32) if left else both >> amount).astype(np.uint32))

    def do_selp(self) -> None:
        yes, no = (self.read(operand, self.kind) for operand in self.instruction.operands[1:3])
        self.result(np.where(self.read(self.instruction.operands[3], "pred"), yes, no))

    def do_setp(self) -> None:
        x, y = self.inputs()
        comparison = self.instruction.operation[1]
        if comparison in ("num", "nan"):
            unordered = (x != x) | (y != y)
            self.result(unordered if comparison == "nan" else ~unordered)
            return
        of_floats = x.dtype.kind == "f" and len(comparison) == 3  # ltu: true for NaNs too
        found = COMPARISONS[comparison[:2]](x, y)
        self.result(found | ((x != x) | (y != y)) if of_floats else found)

    def do_bfe(self) -> None:
        x, start, count = self.inputs()
        self.result((x >> start) & ((np.uint64(1) << count.astype(np.uint64)) - np.uint64(1)).astype(x.dtype))

    def do_cvt(self) -> None:
        *how, to, given = self.instruction.operation
        x = self.read(self.instruction.operands[1], given)
        if "rni" in how:
            x = np.rint(x)
        elif "rzi" in how:
            x = np.trunc(x)
        elif "rmi" in how or "rpi" in how:
            x = np.floor(x) if "rmi" in how else np.ceil(x)
        self.result(x.astype(dtype_of(to)))
