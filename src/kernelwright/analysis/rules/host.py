"""The device waits for the host: too many launches, or too much between them."""

from kernelwright.analysis.rules.reading import Reading, base
from kernelwright.analysis.rules.rule import Rule, Sign, amdahl
from kernelwright.judge.profiling.operations import milliseconds
from kernelwright.schema import Bottleneck, Target

IDLE = 0.35
SHORT_KERNEL_MS = 0.025
"""A launch costs the host 5 to 10 µs and the device about 3 µs: kernels shorter than a few of these do not hide it."""
FEW_LAUNCHES = 3
OUTSIDE = 0.3
METAL_LAUNCHES = 4
METAL_LAUNCH_MS = 0.005


def _launches(reading: Reading) -> Sign | None:
    kernels, wall = reading.kernels, reading.wall_ms
    launches = sum(op.launches for op in kernels)
    if reading.profile.platform not in ("cuda", "mps") or launches < FEW_LAUNCHES or wall <= 0:
        return None
    idle = 1.0 - reading.device_ms / wall
    mean = sum(milliseconds(op) for op in kernels) / launches
    if idle < IDLE or mean > SHORT_KERNEL_MS:
        return None
    names = ", ".join(base(op) for op in kernels[:4])
    return Sign(
        f"Launch fewer kernels: {launches:.0f} short ones run in each call ({names}). Fuse the chain into one kernel "
        "that keeps intermediate values in registers or shared memory; what cannot be fused, capture once in a CUDA "
        "graph and replay it (static addresses: copy inputs into its buffers).",
        1.0 / (1.0 - idle + idle / launches),
        f"{launches:.0f} launches of {1e3 * mean:.3g} µs, the device idles {100 * idle:.0f} % of {wall:.4g} ms",
    )


def _metal_launches(reading: Reading) -> Sign | None:
    work = reading.metal
    if work is None or not work.modelled:
        return None
    launches = sum(kernel.launches for kernel in work.kernels)
    modelled = work.modelled[0]
    each = modelled.ms / launches if launches else 0.0
    if launches < METAL_LAUNCHES or each > METAL_LAUNCH_MS:
        return None
    now, then = modelled.ms + launches * METAL_LAUNCH_MS, modelled.ms + METAL_LAUNCH_MS
    return Sign(
        f"Launch fewer kernels: {launches} dispatches of very little work in each call. Fuse them into one kernel, or "
        "let one threadgroup do several rows.",
        now / then,
        f"{launches} launches, modelled {1e3 * each:.3g} µs each on an {modelled.gpu}",
    )


def _host(reading: Reading) -> Sign | None:
    if reading.wall_ms <= 0 or reading.metal is not None:
        return None
    if reading.profile.platform in ("cuda", "mps"):
        share = 1.0 - reading.device_ms / reading.wall_ms if reading.kernels else 0.0
        what = "between kernels the device waits for the host"
    else:
        native = reading.verdict.target is Target.CPP and reading.outside_share > 0.5
        # code that is reached through ctypes runs unseen: what looks like Python may be the kernel
        share = 0.0 if native else reading.surely_outside_share
        what = "no operator runs: Python, argument checks, wrappers"
    if share < OUTSIDE:
        return None
    return Sign(
        "Take work off the host: move shape checks, weight preparation and allocations from forward into the "
        "constructor or a cache, call one compiled function instead of many, and avoid .item(), .cpu(), .tolist() and "
        "other waits for the device.",
        amdahl(share, 5.0),
        f"{100 * share:.0f} % of {reading.wall_ms:.4g} ms {what}",
    )


RULES = (
    Rule(
        "launch bound",
        Bottleneck.LAUNCHES,
        0.6,
        "Fused into one launch, the idle time between n launches shrinks to that of one: idle / n remains.",
        _launches,
    ),
    Rule(
        "launch bound (Metal)",
        Bottleneck.LAUNCHES,
        0.5,
        "Each dispatch costs about 5 µs beyond its modelled time; one dispatch costs that once.",
        _metal_launches,
    ),
    Rule(
        "host bound",
        Bottleneck.HOST,
        0.5,
        "Amdahl: the host's share shrinks to a fifth when only the call of a compiled function is left of it.",
        _host,
    ),
)
