"""Memory or arithmetic should be the limit, and is not reached; and what is left when nothing else stands out."""

import math

from kernelwright.analysis.rules.reading import Reading, base, multiplies
from kernelwright.analysis.rules.rule import Rule, Sign, amdahl
from kernelwright.judge.profiling.operations import milliseconds
from kernelwright.schema import Bottleneck, MetalKernel

FAR = 1.5
"""Time over the bound from which on it is worth to look for the cause."""
SEVERAL = 2
REREAD, MOST_OF_CACHE = 4.0, 4.0
ONCE = 1.1
OTHER_PASSES = 0.4
FUSED = 4.0
HALF_OF_PEAK, MOST_OF_TUNING = 2.0, 4.0
DOMINATES, BETTER = 0.5, 1.5


def _fusion(reading: Reading) -> Sign | None:
    """Memory is the bound, several operations move the data."""
    if not reading.memory_bound or reading.over_bound < FAR or reading.worst is None:
        return None
    large = reading.large()
    if len(large) < SEVERAL:
        return None
    longest = reading.share(reading.worst) * reading.wall_ms
    names = ", ".join(f"{base(op)} {100 * reading.share(op):.0f} %" for op in large[:5])
    return Sign(
        "Fuse into one pass over memory, so that intermediate results stay in registers or cache: read each input "
        "once, "
        f"write each output once. Time goes to: {names}.",
        reading.wall_ms / max(longest, reading.bound_ms),
        f"{reading.over_bound:.3g} × the time that moving the bytes once takes ({reading.memory_ms:.4g} ms), in "
        f"{len(large)} operations",
    )


def _one_pass(reading: Reading) -> Sign | None:
    """Memory is the bound, one operation is far from it."""
    if not reading.memory_bound or reading.over_bound < FAR or reading.worst is None:
        return None
    return Sign(
        f"Bring {base(reading.worst)} to the memory's rate: read every byte once (a running maximum and sum instead of "
        "two or three passes; tiles that are used again stay in cache), in wide, aligned, independent loads (16 "
        "bytes a "
        "thread, several in flight), on all cores, without fresh memory for temporaries.",
        math.sqrt(reading.over_bound),
        f"{reading.wall_ms:.4g} ms against {reading.memory_ms:.4g} ms for moving the bytes once",
    )


def _metal_fusion(reading: Reading) -> Sign | None:
    """Several Metal kernels hand intermediate results over through device memory."""
    kernels = reading.metal.kernels if reading.metal else ()
    moved = sorted((_distinct(kernel) for kernel in kernels), reverse=True)
    if len(moved) < SEVERAL or moved[0] <= 0 or sum(moved) < FAR * moved[0]:
        return None
    return Sign(
        f"Fuse the {len(moved)} kernels ({', '.join(kernel.name for kernel in kernels[:5])}) so that what one "
        "writes and "
        "the next reads stays in registers or threadgroup memory.",
        sum(moved) / moved[0],
        f"{sum(moved) / 1e6:.4g} MB through device memory in {len(moved)} kernels, {moved[0] / 1e6:.4g} MB in the "
        "largest",
    )


def _metal_reread(reading: Reading) -> Sign | None:
    """One Metal kernel reads the same bytes again and again."""
    kernels = reading.metal.kernels if reading.metal else ()
    worst = max(kernels, key=lambda k: _asked(k) - _distinct(k), default=None)
    if worst is None or not 0 < REREAD * _distinct(worst) <= _asked(worst):
        return None
    ratio = _asked(worst) / _distinct(worst)
    return Sign(
        f"Read less often in {worst.name}: each byte of device memory is asked for {ratio:.3g} times. Load a tile into "
        "threadgroup memory (or keep several outputs of one thread in registers) and use it from there; for "
        "products use "
        "simdgroup_matrix.",
        min(math.sqrt(ratio), MOST_OF_CACHE),
        f"{_asked(worst) / 1e6:.4g} MB asked for, {_distinct(worst) / 1e6:.4g} MB distinct",
    )


def _distinct(kernel: MetalKernel) -> int:
    device = [b for b in kernel.buffers if b.space == "device"]
    return kernel.launches * sum(b.distinct_read_bytes + b.distinct_written_bytes for b in device)


def _asked(kernel: MetalKernel) -> int:
    return sum(b.read_bytes + b.written_bytes for b in kernel.buffers if b.space == "device")


def _other_passes(reading: Reading) -> Sign | None:
    """Arithmetic is the bound, but much of the time goes to operations that multiply nothing."""
    if reading.memory_bound or reading.over_bound < FAR or not any(multiplies(op) for op in reading.work):
        return None
    others = [op for op in reading.work if not multiplies(op)]
    share = sum(reading.share(op) for op in others)
    if share < OTHER_PASSES:
        return None
    names = ", ".join(f"{base(op)} {100 * reading.share(op):.0f} %" for op in others[:4])
    return Sign(
        f"Fuse what surrounds the products: {100 * share:.0f} % of the time goes to operations that only move or scale "
        f"({names}). Do them in the product's epilogue or while its operands are loaded; avoid copies by writing the "
        "layout that the next step reads (scaled_dot_product_attention does both for attention).",
        amdahl(share, FUSED),
        f"bound by arithmetic ({reading.compute_ms:.4g} of {reading.wall_ms:.4g} ms), {100 * share:.0f} % elsewhere",
    )


_PEAK = {
    "cuda": "Use the tensor cores: for float32 split each operand into three tf32 parts (tf32x3) to keep the accuracy, "
    "tiles of 128 × 128 × 32, asynchronous copies into shared memory in three or four stages.",
    "mps": "Use simdgroup_matrix (8 × 8 tiles), several accumulators a SIMD-group, operands in threadgroup memory.",
    "cpu": "Use the widest vectors with fused multiply-add (16 floats with AVX-512, 8 with AVX2), at least 12 "
    "independent accumulators, blocks that fit L1 and L2, packed panels; or leave the product to oneDNN.",
}


def _compute(reading: Reading) -> Sign | None:
    """Arithmetic is the bound, the products are far from it."""
    worst = reading.worst
    if reading.memory_bound or reading.over_bound < FAR or worst is None:
        return None
    share = reading.share(worst)
    best = HALF_OF_PEAK * reading.bound_ms
    text = _PEAK.get(reading.profile.platform, _PEAK["cpu"])
    return Sign(
        f"Bring {base(worst)} closer to the arithmetic peak. {text}",
        amdahl(share, min(max(share * reading.wall_ms / best, 1.1), MOST_OF_TUNING)),
        f"{reading.wall_ms:.4g} ms against {reading.compute_ms:.4g} ms for the FLOPs at the measured rate; "
        f"{base(worst)} takes {100 * share:.0f} %",
    )


def _dominates(reading: Reading) -> Sign | None:
    worst = reading.worst
    if worst is None or reading.share(worst) < DOMINATES:
        return None
    share = reading.share(worst)
    return Sign(
        f"Work on {base(worst)} alone: it takes {100 * share:.0f} % of the time. Write it for exactly these "
        "shapes, with "
        "what comes before and after it folded in.",
        amdahl(share, BETTER),
        f"{milliseconds(worst):.4g} ms in {worst.launches:.3g} launches",
    )


def _metal_once(reading: Reading) -> Sign | None:
    """One Metal kernel asks for each byte once."""
    kernels = reading.metal.kernels if reading.metal else ()
    if len(kernels) != 1 or not 0 < _asked(kernels[0]) <= ONCE * _distinct(kernels[0]) or not reading.memory_bound:
        return None
    return Sign(
        f"Stop saving bytes in {kernels[0].name}: one kernel asks for each byte about once. On a Mac look at its "
        "rate: wide loads, enough threadgroups, no waiting at barriers. Else only less work would help.",
        1.0,
        f"{_asked(kernels[0]) / 1e6:.4g} MB asked for, {_distinct(kernels[0]) / 1e6:.4g} MB distinct, bound by memory",
    )


def _unknown(reading: Reading) -> Sign:
    names = ", ".join(f"{base(op)} {100 * reading.share(op):.0f} %" for op in reading.large()[:4])
    notes = "; ".join(reading.profile.notes[:2])
    return Sign(
        "Nothing stands out in the profile. Try another algorithm or another tiling than the last attempt, one "
        "change at "
        "a time." + (f" Time goes to: {names}." if names else ""),
        1.05,
        notes or "no sign of any rule",
    )


RULES = (
    Rule(
        "memory bound, several passes",
        Bottleneck.MEMORY,
        0.55,
        "In one pass at least the longest operation remains, and never less than the bound.",
        _fusion,
    ),
    Rule(
        "memory bound, several passes (Metal)",
        Bottleneck.MEMORY,
        0.5,
        "In one pass the traffic of the kernel with the most remains.",
        _metal_fusion,
    ),
    Rule(
        "memory read again and again (Metal)",
        Bottleneck.MEMORY,
        0.5,
        "Caches already serve a part of the repeated reads: the square root of the ratio, fourfold at best.",
        _metal_reread,
    ),
    Rule(
        "every byte once (Metal)",
        Bottleneck.AT_THE_LIMIT,
        0.1,
        "Traffic cannot shrink any more, and nothing was timed.",
        _metal_once,
    ),
    Rule(
        "passes around the products",
        Bottleneck.MEMORY,
        0.55,
        "Amdahl: fused, the passes shrink to a quarter; the products stay as they are.",
        _other_passes,
    ),
    Rule(
        "memory bound, one operation",
        Bottleneck.MEMORY,
        0.4,
        "Half of the way to the bound on a logarithmic scale: what holds it back is not known.",
        _one_pass,
    ),
    Rule(
        "compute bound below the peak",
        Bottleneck.COMPUTE,
        0.35,
        "Amdahl on the worst operation, brought to half of the measured rate, at most fourfold: hand-written products "
        "seldom reach more.",
        _compute,
    ),
    Rule(
        "one operation dominates",
        Bottleneck.COMPUTE,
        0.3,
        "Amdahl: one operation written for its shapes becomes half as fast again.",
        _dominates,
    ),
    Rule(
        "nothing stands out", Bottleneck.UNKNOWN, 0.15, "Almost no gain is expected where no cause is seen.", _unknown
    ),
)
