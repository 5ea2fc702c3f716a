"""The cores are not full, or wait for each other: parallelism, occupancy, divergence, barriers."""

from kernelwright.analysis.rules.reading import WARP, Reading, base, threads
from kernelwright.analysis.rules.rule import Rule, Sign, amdahl
from kernelwright.schema import Bottleneck, Operation

APPLE_CORES = 8
"""Of the smallest Apple GPU of the model (M1): fewer threadgroups leave cores without work on every Mac."""
BUSY, LONG_ENOUGH_MS = 0.6, 0.2
EFFICIENCY = 0.8
LOW, ENOUGH = 0.35, 0.5
"""Occupancy: half is usually enough to hide latency (Volkov, Better Performance at Lower Occupancy, GTC 2010)."""
MOST_OF_OCCUPANCY = 2.0
LARGE_SHARE = 0.3
REGISTERS_OF_SM, WARPS_OF_SM = 65536, 64
ACTIVE, BARRIER_STALL, SIMD_GROUP = 0.75, 0.3, 32
FLOPS_A_BARRIER = 64
REUSED, WORD, SIDE = 4, 4, 8
"""Threadgroup memory over distinct bytes from which on operands are used again; bytes of a word; of a SIMD matrix."""


def _parallelism(reading: Reading) -> Sign | None:
    return _cpu_parallelism(reading) or _gpu_parallelism(reading) or _metal_parallelism(reading)


def _cpu_parallelism(reading: Reading) -> Sign | None:
    busy, cores = reading.counter("threads_busy"), _threads_of(reading)
    if busy is None or busy <= 0 or cores < 2 or reading.wall_ms < LONG_ENOUGH_MS or busy > BUSY * cores:
        return None
    return Sign(
        f"Use all {cores} threads: split the outermost independent loop (rows, batch, channels) with "
        "at::parallel_for or "
        "OpenMP, or give the one serial operation a form that PyTorch runs in parallel.",
        amdahl(1.0 - reading.outside_share, EFFICIENCY * cores / busy),
        f"{busy:.2g} of {cores} threads were busy during {reading.wall_ms:.4g} ms",
    )


def _threads_of(reading: Reading) -> int:
    said = reading.facts.details.get("threads", "")
    return int(said) if said.isdecimal() else reading.facts.cores


def _gpu_parallelism(reading: Reading) -> Sign | None:
    waves = reading.counter("waves")
    if waves is None or not 0 < waves < 0.5:
        return None
    return Sign(
        "Give the device more threadgroups (blocks): split the reduction dimension over several blocks (split-K, then "
        "one short pass that adds up), use smaller tiles, or let one block do one row instead of many.",
        amdahl(0.8, min(1.0 / waves, 8.0)),
        f"a launch fills {100 * waves:.0f} % of the multiprocessors once",
    )


def _metal_parallelism(reading: Reading) -> Sign | None:
    work = reading.metal
    kernels = work.kernels if work else ()
    heaviest = max(kernels, key=lambda k: sum(b.read_bytes + b.written_bytes for b in k.buffers), default=None)
    if heaviest is None or heaviest.launches_watched < 1:
        return None
    groups = heaviest.threadgroups / heaviest.launches_watched
    if not 0 < groups < 2 * APPLE_CORES:
        return None
    return Sign(
        f"Give the GPU more threadgroups: {heaviest.name} runs {groups:.0f} of them, and every Apple GPU has at least "
        f"{APPLE_CORES} cores. Split its rows or its reduction over more threadgroups.",
        min(2 * APPLE_CORES / groups, 8.0),
        f"{groups:.0f} threadgroups of {threads(heaviest)} threads",
    )


def _metal_matrices(reading: Reading) -> Sign | None:
    """Arithmetic is the bound, and operands of every multiplication come from threadgroup memory one by one."""
    work = reading.metal
    heaviest = max(work.kernels, key=lambda kernel: kernel.flops, default=None) if work else None
    if work is None or heaviest is None or not work.modelled or work.modelled[0].bound != "arithmetic":
        return None
    if heaviest.simd_operations or heaviest.threadgroup_read_bytes < REUSED * work.distinct_device_bytes:
        return None
    loads, fused = heaviest.threadgroup_read_bytes / WORD, heaviest.flops / 2
    return Sign(
        f"Use simdgroup_matrix in {heaviest.name} if it multiplies matrices: simdgroup_load brings 8 × 8 operands that "
        "are used eight times each, several accumulators a SIMD-group. Else keep a block of outputs (4 × 4) of each "
        "thread in registers, so that one load serves four multiplications.",
        (loads + fused) / (loads / SIDE + fused),
        f"{heaviest.flops / max(1.0, loads):.3g} FLOPs for each word read from threadgroup memory, no SIMD operations",
    )


def _occupancy(reading: Reading) -> Sign | None:
    low = [op for op in reading.work if op.occupancy is not None and 0 < op.occupancy < LOW]
    if reading.metal is None:
        low = [op for op in low if reading.share(op) >= LARGE_SHARE]
    if not low:
        return None
    worst = low[0]
    occupancy = worst.occupancy or LOW
    share = 0.6 if reading.metal is not None else reading.share(worst)
    cause, remedy = _cause(worst)
    return Sign(
        f"Raise the occupancy of {base(worst)}: {cause}. {remedy}",
        amdahl(share, min(ENOUGH / occupancy, MOST_OF_OCCUPANCY)),
        f"{100 * occupancy:.0f} % of the threads that a core can hold are resident",
    )


def _cause(worst: Operation) -> tuple[str, str]:
    shared = f"{worst.shared_bytes or 0} bytes of threadgroup (shared) memory in each threadgroup"
    by_registers = REGISTERS_OF_SM / (WARP * max(1, worst.registers or 1) * WARPS_OF_SM)
    if worst.registers and by_registers < 2 * (worst.occupancy or 0.0):
        return (
            f"each thread needs {worst.registers} registers",
            "Shorten the lives of values, use a smaller tile a thread, or bound registers with __launch_bounds__.",
        )
    if worst.shared_bytes:
        return shared, "Use a smaller tile, a narrower type in it, or reuse one buffer for two stages."
    return "too few threads are resident", "Use larger threadgroups (128 to 256 threads) or more of them."


def _divergence(reading: Reading) -> Sign | None:
    active = reading.counter("lanes_active")
    if active is None or not 0 < active < ACTIVE:
        return None
    return Sign(
        "Let all threads of a warp take the same way: handle the ragged edge in a launch or loop of its own, replace "
        "short branches by select, sort or bucket the work so that neighbours do the same.",
        amdahl(0.6, 1.0 / active),
        f"{WARP * active:.3g} of {WARP} threads are active in the average instruction",
    )


def _barriers(reading: Reading) -> Sign | None:
    stalled = reading.counter("barrier_stall")
    if stalled is not None and BARRIER_STALL < stalled <= 1:
        return Sign(
            "Wait less at barriers: do more work between two of them (larger tiles in the reduction dimension), "
            "use two "
            "buffers so that loading the next tile needs one barrier instead of two, and warp operations within a "
            "warp.",
            1.0 / (1.0 - 0.5 * stalled),
            f"{100 * stalled:.0f} % of the stalls are at barriers",
        )
    for kernel in reading.metal.kernels if reading.metal else ():
        groups = max(1.0, kernel.launches * kernel.threadgroups / max(1, kernel.launches_watched))
        each = kernel.barriers / groups
        work = kernel.flops / max(1, kernel.barriers) / max(1, threads(kernel))
        if kernel.barriers and threads(kernel) <= SIMD_GROUP:
            return Sign(
                f"Drop threadgroup_barrier from {kernel.name}: its threadgroups are one SIMD-group, for which "
                "simdgroup_barrier, or none after simd_sum and its kind, is enough.",
                1.1,
                f"{each:.3g} barriers in threadgroups of {threads(kernel)} threads",
            )
        if each >= 8 and work < FLOPS_A_BARRIER:
            return Sign(
                f"Wait less at barriers in {kernel.name}: reduce with simd_sum first and use threadgroup memory "
                "only for "
                "one value of each SIMD-group, or do more work between two barriers.",
                1.3,
                f"{each:.3g} barriers in each threadgroup, {work:.3g} FLOPs of a thread between two",
            )
    return None


RULES = (
    Rule(
        "too little parallelism",
        Bottleneck.OCCUPANCY,
        0.5,
        "Amdahl: what runs in operators speeds up by the idle threads (four fifths of them on a CPU); on a GPU by the "
        "cores without work, at most eightfold.",
        _parallelism,
    ),
    Rule(
        "operands one by one (Metal)",
        Bottleneck.COMPUTE,
        0.45,
        "Loads and fused multiply-adds are taken to cost the same; of the loads an eighth remains.",
        _metal_matrices,
    ),
    Rule(
        "low occupancy",
        Bottleneck.OCCUPANCY,
        0.35,
        "Amdahl on the operation's share: latency is hidden in proportion to resident threads up to half of the most "
        "possible; twofold at best.",
        _occupancy,
    ),
    Rule(
        "divergence",
        Bottleneck.DIVERGENCE,
        0.35,
        "Amdahl: three fifths of the time are taken to issue instructions, and shrink by the idle lanes.",
        _divergence,
    ),
    Rule(
        "too many barriers",
        Bottleneck.SYNCHRONISATION,
        0.35,
        "Half of the stalls at barriers can go. Counted without time (Metal) the gain is what such a change usually "
        "brings: a tenth for a barrier that nothing needs, 1.3 for many.",
        _barriers,
    ),
)
