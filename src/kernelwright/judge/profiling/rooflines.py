"""The roofline of a module, from the judge's own figures: the reference's cost, the device's limits, a measured time.

The model: Williams, Waterman and Patterson, Communications of the ACM 52(4), 2009.
"""

from kernelwright.judge.limits import ProblemCosts
from kernelwright.metal.apple_gpus import APPLE_GPUS
from kernelwright.schema import DeviceLimits, MetalWork, Roofline

MODELLED_GPU = "M1"
"""The Apple GPU that a Metal program's roofline is drawn for where there is none: both its rates are published."""


def of_reference(costs: ProblemCosts, device: DeviceLimits, time_ms: float | None) -> Roofline | None:
    """Bytes and FLOPs that the reference needs; ``None`` where the rate for its dtype was not measured.

    Three tf32 products give one that is as exact as float32 (tf32x3): where that is faster, it is what can be had.
    """
    rates = device.matmul_flops
    rate = rates.get(costs.dtype) or rates.get("float32") or 0.0
    if costs.dtype == "float32":
        rate = max(rate, rates.get("tfloat32", 0.0) / 3)
    if rate <= 0 or device.bandwidth <= 0:
        return None
    return Roofline(
        flops=costs.flops,
        bytes_moved=costs.input_bytes + costs.weight_bytes + costs.output_bytes,
        bandwidth=device.bandwidth,
        flop_rate=rate,
        time_ms=time_ms,
    )


def of_metal(work: MetalWork) -> Roofline:
    """Counted work under the roofline of ``MODELLED_GPU``. Nothing was timed."""
    gpu = next(gpu for gpu in APPLE_GPUS if gpu.name == MODELLED_GPU)
    return Roofline(
        flops=work.flops,
        bytes_moved=work.distinct_device_bytes,
        bandwidth=gpu.bandwidth * 1e9,
        flop_rate=gpu.least_tflops * 1e12,
    )
