"""Memory is asked for in a bad shape: uncoalesced access, bank conflicts."""

from collections.abc import Iterator

from kernelwright.analysis.rules.reading import Reading
from kernelwright.analysis.rules.rule import Rule, Sign, amdahl
from kernelwright.schema import Bottleneck, MetalAccess, MetalKernel

COALESCED, FREE_OF_CONFLICTS = 0.6, 0.7
MEMORY_SHARE, ELSE_SHARE = 0.8, 0.4
"""Share of the time that waits for device memory: where the roofline says memory, and else."""
MOST_OF_SHARED = 0.5
CUDA_SHARED_SHARE = 0.3


def _worst_line(reading: Reading, spaces: tuple[str, ...]) -> str:
    """Where most transactions are wasted, of a Metal program; empty where that is not known."""
    found = max(_lines(reading, spaces), key=_wasted, default=None)
    if found is None:
        return ""
    kernel, access = found
    ratio = access.transactions / max(1, access.ideal_transactions)
    does = f"{'writes to' if access.write else 'reads'} {access.name} in {ratio:.3g} × the fewest transactions"
    return f" Worst: line {access.line} of the Metal source ({kernel.name}) {does}."


def _wasted(pair: tuple[MetalKernel, MetalAccess]) -> int:
    return pair[1].transactions - pair[1].ideal_transactions


def _lines(reading: Reading, spaces: tuple[str, ...]) -> Iterator[tuple[MetalKernel, MetalAccess]]:
    for kernel in reading.metal.kernels if reading.metal else ():
        for access in kernel.accesses:
            if access.space in spaces:
                yield kernel, access


def _uncoalesced(reading: Reading) -> Sign | None:
    efficiency = reading.counter("coalescing")
    if efficiency is None or not 0 < efficiency < COALESCED:
        return None
    share = MEMORY_SHARE if reading.memory_bound else ELSE_SHARE
    where = _worst_line(reading, ("device", "constant"))
    return Sign(
        "Let neighbouring threads touch neighbouring addresses: make the fastest thread index run along the contiguous "
        "dimension, load 16 bytes a thread (float4), and where the algorithm wants the other order, load a tile "
        f"coalesced and turn it over in threadgroup (shared) memory.{where}",
        amdahl(share, 1.0 / efficiency),
        f"{100 * efficiency:.0f} % of the transactions of device memory would be enough",
    )


def _bank_conflicts(reading: Reading) -> Sign | None:
    efficiency = reading.counter("bank_efficiency")
    if efficiency is None or not 0 < efficiency < FREE_OF_CONFLICTS:
        return None
    shared, device = reading.counter("threadgroup_bytes"), reading.counter("device_bytes")
    share = CUDA_SHARED_SHARE
    if shared is not None and device is not None and shared + device > 0:
        share = min(MOST_OF_SHARED, shared / (shared + device))
    where = _worst_line(reading, ("threadgroup",))
    return Sign(
        "Remove bank conflicts in threadgroup (shared) memory: pad the rows of a tile by one word ([32][33] instead of "
        f"[32][32]), or swizzle the column with the row (column ^ row).{where}",
        amdahl(share, 1.0 / efficiency),
        f"{100 * efficiency:.0f} % of the bank cycles would be enough; {100 * share:.0f} % of the time is taken "
        "to be there",
    )


RULES = (
    Rule(
        "uncoalesced access",
        Bottleneck.COALESCING,
        0.55,
        "Amdahl: the share that waits for device memory shrinks by the transactions that are wasted. That share is an "
        "assumption, larger where the roofline says memory.",
        _uncoalesced,
    ),
    Rule(
        "bank conflicts",
        Bottleneck.BANK_CONFLICTS,
        0.45,
        "Amdahl: the share of bytes that go through threadgroup memory (at most half of the time) shrinks by the bank "
        "cycles that are wasted.",
        _bank_conflicts,
    ),
)
