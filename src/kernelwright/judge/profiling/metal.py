"""A Metal candidate on a machine without an Apple GPU: its profile is the work that was counted while it was checked.

No new run is needed, and no time is in it: milliseconds of operations are left out, and what the pictures show is a
model, which they say.
"""

from kernelwright.judge.profiling import draw, rooflines
from kernelwright.metal.work import CORE_THREADS
from kernelwright.schema import MetalKernel, MetalWork, Operation, Profile

TOOL = "metal-runtime"


def profile_of(work: MetalWork, platform: str) -> Profile:
    """One operation a kernel. ``counters``: see docs/profiling.md."""
    roofline = rooflines.of_metal(work)
    pictures, notes = draw.metal_pictures(work, roofline)
    return Profile(
        tool=TOOL,
        platform=platform,
        device=f"no Apple GPU; roofline of an {rooflines.MODELLED_GPU}",
        operations=tuple(_operation(kernel) for kernel in work.kernels),
        counters=_counters(work),
        roofline=roofline,
        metal=work,
        pictures=pictures,
        notes=(f"{work.note}: bytes, FLOPs and conflicts are counted, times on Apple GPUs are modelled", *notes),
    )


def _operation(kernel: MetalKernel) -> Operation:
    threads = kernel.group[0] * kernel.group[1] * kernel.group[2]
    return Operation(
        name=kernel.name,
        launches=float(kernel.launches),
        bytes_moved=sum(b.read_bytes + b.written_bytes for b in kernel.buffers if b.space == "device"),
        flops=kernel.flops,
        occupancy=min(1.0, kernel.resident_threadgroups * threads / CORE_THREADS),
        shared_bytes=kernel.threadgroup_memory,
    )


def _counters(work: MetalWork) -> dict[str, float]:
    """Totals of one call of the module, and how far accesses are from the fewest transactions."""
    kernels = work.kernels
    counters: dict[str, float] = {
        "device_bytes": work.device_bytes,
        "distinct_device_bytes": work.distinct_device_bytes,
        "threadgroup_bytes": sum(k.threadgroup_read_bytes + k.threadgroup_written_bytes for k in kernels),
        "barriers": sum(k.barriers for k in kernels),
        "simd_operations": sum(k.simd_operations for k in kernels),
        "atomics": sum(k.atomics for k in kernels),
    }
    if work.arithmetic_intensity is not None:
        counters["flops_per_byte"] = work.arithmetic_intensity
    for name, spaces in (("coalescing", ("device", "constant")), ("bank_efficiency", ("threadgroup",))):
        accesses = [access for kernel in kernels for access in kernel.accesses if access.space in spaces]
        turns = sum(access.transactions for access in accesses)
        if turns:
            counters[name] = sum(access.ideal_transactions for access in accesses) / turns
    for time in work.modelled:
        counters[f"modelled_ms {time.gpu}"] = time.ms
    return counters
