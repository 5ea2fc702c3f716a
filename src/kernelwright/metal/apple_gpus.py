"""Apple's GPUs in figures, and the time that counted work would take on them at best. Imports no torch.

A model, not a measurement: the roofline of Williams, Waterman and Patterson (Communications of the ACM 52(4), 2009).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kernelwright.metal.work import KernelWork

CORE_GFLOPS = 2 * 128 * 1.278
"""Of one core of the M1: 128 fused multiply-adds per cycle at 1.278 GHz (metal-benchmarks)."""


@dataclass(frozen=True)
class AppleGpu:
    """One GPU in its largest configuration."""

    name: str
    cores: int
    bandwidth: float
    """Of the memory, GB/s (10⁹ bytes)."""
    tflops: float | None
    """32-bit floating-point operations, a fused multiply-add being two, 10¹² per second. ``None``: neither Apple nor
    metal-benchmarks gives it; Apple has published none since the M2."""
    source: str

    @property
    def least_tflops(self) -> float:
        """``tflops``, or what that many cores of the M1 would reach; later ones are taken not to be slower."""
        return self.tflops if self.tflops is not None else self.cores * CORE_GFLOPS / 1e3


_RATES = "FLOP rate: Philip Turner, metal-benchmarks, README (2023)"

APPLE_GPUS: tuple[AppleGpu, ...] = (
    AppleGpu(
        "M1", 8, 68.25, 2.617,
        "LPDDR4X-4266 on 128 bits: AnandTech, The 2020 Mac Mini Unleashed (2020); Apple, M2 release (2022): 100 GB/s "
        f"is 50 % more; {_RATES}; Apple, M1 release (November 2020): 2.6 teraflops",
    ),
    AppleGpu("M1 Pro", 16, 200, 5.308, f"Apple, M1 Pro and M1 Max release (October 2021); {_RATES}"),
    AppleGpu("M1 Max", 32, 400, 10.617, f"Apple, M1 Pro and M1 Max release (October 2021); {_RATES}"),
    AppleGpu("M1 Ultra", 64, 800, 21.233, f"Apple, M1 Ultra release (March 2022); {_RATES}"),
    AppleGpu("M2", 10, 100, 3.579, f"Apple, M2 release (June 2022); {_RATES}"),
    AppleGpu("M2 Pro", 19, 200, 6.800, f"Apple, M2 Pro and M2 Max release (January 2023); {_RATES}"),
    AppleGpu("M2 Max", 38, 400, 13.600, f"Apple, M2 Pro and M2 Max release (January 2023); {_RATES}"),
    AppleGpu("M2 Ultra", 76, 800, 27.200, f"Apple, M2 Ultra release (June 2023): two M2 Max; {_RATES}, of the M2 Max"),
    AppleGpu("M3", 10, 100, None, "Apple, MacBook Pro (14-inch, M3, 2023), technical specifications"),
    AppleGpu("M3 Pro", 18, 150, None, "Apple, MacBook Pro (M3 Pro or M3 Max, 2023), technical specifications"),
    AppleGpu("M3 Max", 40, 400, None, "Apple, MacBook Pro (M3 Pro or M3 Max, 2023), technical specifications"),
    AppleGpu("M3 Ultra", 80, 819, None, "Apple, Mac Studio (2025), technical specifications"),
    AppleGpu("M4", 10, 120, None, "Apple, M4 release (May 2024)"),
    AppleGpu("M4 Pro", 20, 273, None, "Apple, M4 Pro and M4 Max release (October 2024)"),
    AppleGpu("M4 Max", 40, 546, None, "Apple, M4 Pro and M4 Max release (October 2024)"),
    AppleGpu("M5", 10, 153, None, "Apple, M5 release (October 2025)"),
    AppleGpu("M5 Pro", 20, 307, None, "Apple, M5 Pro and M5 Max release (March 2026)"),
    AppleGpu("M5 Max", 40, 614, None, "Apple, M5 Pro and M5 Max release (March 2026)"),
)  # fmt: skip


@dataclass(frozen=True)
class ModelledTime:
    """What kernels would take on one GPU at best. A model."""

    gpu: str
    ms: float
    bound: Literal["bandwidth", "arithmetic"]
    """What takes most of it."""


def modelled_times(work: Sequence[KernelWork]) -> tuple[ModelledTime, ...]:
    """The time of kernels that run one after the other, on each GPU of ``APPLE_GPUS``: a model, not a measurement.

    For each kernel the longer of two: ``distinct_device_bytes`` at the memory's full bandwidth (each byte read moves
    once and each byte written moves once, as with caches that hold everything used again), and ``flops`` at the full
    32-bit rate. Real kernels take longer: launches, latency, threadgroup memory, uncoalesced access, integer work and
    half-filled cores are not in it.

    A GPU whose FLOP rate is not published is left out, unless every kernel is bound by bandwidth even with as many
    cores of the M1: the rate then does not matter. Without work the answer is empty.
    """
    if not work:
        return ()
    modelled = (_modelled(gpu, work) for gpu in APPLE_GPUS)
    return tuple(time for time in modelled if time is not None)


def _modelled(gpu: AppleGpu, work: Sequence[KernelWork]) -> ModelledTime | None:
    seconds = {"bandwidth": 0.0, "arithmetic": 0.0}
    for kernel in work:
        moving = kernel.distinct_device_bytes / (gpu.bandwidth * 1e9)
        computing = kernel.flops / (gpu.least_tflops * 1e12)
        if computing > moving and gpu.tflops is None:
            return None
        seconds["arithmetic" if computing > moving else "bandwidth"] += max(moving, computing)
    bound = "arithmetic" if seconds["arithmetic"] > seconds["bandwidth"] else "bandwidth"
    return ModelledTime(gpu.name, sum(seconds.values()) * 1e3, bound)
