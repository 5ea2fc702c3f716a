"""A run that checks and counts everything, on copies of the buffers. Imports no torch."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from kernelwright.metal import reports
from kernelwright.metal.arguments import Binding
from kernelwright.metal.contract import KernelArgument, KernelSignature
from kernelwright.metal.counting import Counter, KwAccess, accesses, counting
from kernelwright.metal.guarded import guarded_copies
from kernelwright.metal.launch import Check, Dispatch, Extent, KwKernel, LoadedProgram, Outcome, Runtime
from kernelwright.metal.program import Program
from kernelwright.metal.work import AccessWork, BufferWork, KernelWork, Space


@dataclass(frozen=True)
class Inspected:
    """What a run left behind."""

    outcome: Outcome
    reports: tuple[reports.Report, ...]
    work: KernelWork


def inspect(
    program: Program,
    loaded: LoadedProgram,
    signature: KernelSignature,
    record: KwKernel,
    dispatch: Dispatch,
    binding: Binding,
    sample: int | None,
) -> Inspected:
    """Runs at most ``sample`` threadgroups with checks and counters; nothing comes back to the caller's buffers."""
    runtime = loaded.runtime
    groups = prod(dispatch.groups)
    chosen = None if sample is None or sample >= groups else chosen_groups(groups, sample, dispatch.seed)
    base = loaded.base()
    with runtime.lock:
        runtime.watch(base, base + reports.line_table(program.library).size)
        with (
            guarded_copies(runtime, binding, write_back=False) as buffers,
            counting(runtime, program.library, chosen),
        ):
            counted = replace(dispatch, buffers=buffers, check=Check.RULES | Check.COUNTS)
            outcome = runtime.launch(record, counted)
            found = reports.read_reports(runtime.take_reports(), program.library, signature, buffers)
        return Inspected(outcome, tuple(found), _Reading(program, signature, dispatch, runtime).work())


def chosen_groups(groups: int, sample: int, seed: int) -> list[int]:
    """``sample`` of the threadgroups 0 to ``groups - 1``, ascending: the first, the last, and one drawn by ``seed``
    from each of ``sample - 2`` equal parts of those in between. One alone is the first.
    """
    if sample == 1:
        return [0]
    draw = random.Random(seed)
    parts, between = sample - 2, groups - 2
    edges = [1 + between * part // parts for part in range(parts + 1)] if parts else []
    drawn = (low + int(draw.random() * (high - low)) for low, high in pairwise(edges))
    return [0, *drawn, groups - 1]


def no_work(signature: KernelSignature, dispatch: Dispatch) -> KernelWork:
    """Of a dispatch over no threads."""
    given = (argument for argument in signature.arguments if argument.kind == "buffer")
    buffers = tuple(BufferWork(a.index, a.name, 0, 0, space=_space(a)) for a in given)
    return KernelWork(signature.host_name, dispatch.grid, dispatch.group, 0, 0, buffers, (), 0, 0, 0, 0, 0, 0, 0)


class _Reading:
    """The counters of the last launch as a record."""

    def __init__(self, program: Program, signature: KernelSignature, dispatch: Dispatch, runtime: Runtime):
        self._program, self._signature, self._dispatch, self._runtime = program, signature, dispatch, runtime
        self._groups = prod(dispatch.groups)
        self._run = runtime.counter(Counter.GROUPS)
        self._arguments = {a.index: a for a in signature.arguments if a.kind == "buffer"}
        dynamic = [a.name for a in signature.arguments if a.kind == "threadgroup"]
        self._dynamic = dynamic[0] if len(dynamic) == 1 else ""

    def work(self) -> KernelWork:
        names = ("threadgroup_read", "threadgroup_written", "barriers", "simd_operations", "atomics", "flops")
        return KernelWork(
            kernel=self._signature.host_name,
            grid=self._dispatch.grid,
            group=self._dispatch.group,
            groups=self._groups,
            groups_run=self._run,
            buffers=tuple(self._buffers()),
            accesses=tuple(self._accesses()),
            threadgroup_memory=self._runtime.threadgroup_bytes_used(),
            **{name: self._counter(Counter[name.upper()]) for name in names},
        )

    def _whole(self, value: int) -> int:
        """Of the threadgroups that ran, as that of all."""
        return (value * self._groups + self._run // 2) // self._run if self._run else 0

    def _counter(self, which: int) -> int:
        return self._whole(self._runtime.counter(which))

    def _buffers(self) -> list[BufferWork]:
        given = self._dispatch.buffers
        behind = sorted(index for index in given if index not in self._arguments)
        found = [self._buffer(index, given) for index in (*sorted(self._arguments), *behind)]
        return [one for one in found if one.index in self._arguments or one.read_bytes or one.written_bytes]

    def _buffer(self, index: int, given: Mapping[int, Extent]) -> BufferWork:
        argument = self._arguments.get(index)
        size = given[index].bytes
        read, written = (self._counter(which + index) for which in (Counter.BUFFER_READ, Counter.BUFFER_WRITTEN))
        return BufferWork(
            index=index,
            name=argument.name if argument else "",
            space=_space(argument),
            read_bytes=read,
            written_bytes=written,
            # other threadgroups touch other bytes, but no more than there are
            distinct_read_bytes=min(self._counter(Counter.BUFFER_BYTES_READ + index), size, read),
            distinct_written_bytes=min(self._counter(Counter.BUFFER_BYTES_WRITTEN + index), size, written),
        )

    def _accesses(self) -> list[AccessWork]:
        """One for each line and subject, however many places of the program it was compiled to."""
        same: dict[tuple[int, Space, bool, int | None, str], list[KwAccess]] = defaultdict(list)
        for record in accesses(self._runtime):
            if record.accesses or record.bytes:
                same[self._key(record)].append(record)
        sums: list[AccessWork] = []
        for key in sorted(same, key=lambda key: (key[0], key[1], key[2], key[3] if key[3] is not None else -1, key[4])):
            total = self._total(same[key])
            line, space, write, buffer, name = key
            sums.append(
                AccessWork(
                    line=line,
                    space=space,
                    write=write,
                    buffer=buffer,
                    name=name,
                    accesses=total(lambda record: record.accesses),
                    bytes=total(lambda record: record.bytes),
                    transactions=total(lambda record: record.transactions),
                    ideal_transactions=total(lambda record: record.ideal_transactions),
                )
            )
        return sums

    def _total(self, records: list[KwAccess]) -> Callable[[Callable[[KwAccess], int]], int]:
        return lambda value: self._whole(sum(map(value, records)))

    def _key(self, record: KwAccess) -> tuple[int, Space, bool, int | None, str]:
        line = reports.line_of(self._program.library, record.program_counter)
        if record.buffer < 0:
            name = record.subject.decode(errors="replace")
            return line, "threadgroup", bool(record.write), None, name or self._dynamic
        argument = self._arguments.get(record.buffer)
        return line, _space(argument), bool(record.write), record.buffer, argument.name if argument else ""


def _space(argument: KernelArgument | None) -> Space:
    return "constant" if argument and argument.address_space == "constant" else "device"
