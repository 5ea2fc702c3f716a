"""Measures what a device does at best: bandwidth, matrix rate, launch time. A few seconds, on an idle device.

Every figure is the best of several repetitions: a limit is what the device can do, and anything else that ran at the
same time can only make it look slower.
"""

import datetime
import time
from collections.abc import Callable

import torch

from kernelwright.schema import DeviceLimits

_MATMUL_SECONDS = 0.2
_STREAM_SECONDS = 0.04
_CPU_BATCH_SECONDS, _QUEUE_BATCH_SECONDS = 5e-5, 5e-3
_FEWEST_BATCHES = 8
"""Threads that start, or wait for other programs' threads, cost the first calls tens of milliseconds each."""
_SIZES_ALWAYS = 3
_CPU_SIZES = (128, 256, 512, 1024, 2048)
_GPU_SIZES = (1024, 2048, 4096, 8192)


def cpu_limits(cache_bytes: int) -> DeviceLimits:
    """This process's threads on the CPU; at most three seconds.

    ``bandwidth`` streams a working set four times the last-level cache (at least 128 MiB, at most 512), the largest
    caches excepted, which hold a part of it.
    """
    large = min(max(4 * cache_bytes, 128 << 20), 512 << 20)
    sizes = [1 << 18, 1 << 20, 1 << 22, max(cache_bytes // 2, 1 << 23)]
    rates = {size: _bandwidth("cpu", size, _wait_for_nothing) for size in (*sizes, large)}
    rates_by_dtype = {
        _name(dtype): _matmul_rate("cpu", dtype, _CPU_SIZES, _wait_for_nothing)
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    }
    return _limits(rates, large, rates_by_dtype, _launch_seconds("cpu", _wait_for_nothing))


def gpu_limits(device: str, cache_bytes: int, memory_available: int, synchronize: Callable[[], None]) -> DeviceLimits:
    """A GPU, by the host's clock around a full synchronise and enough repetitions to drown that.

    Matrix products in float32 are measured as PyTorch computes them by default, and again with tf32 allowed
    (``tfloat32``) on CUDA.
    """
    large = min(max(8 * cache_bytes, 1 << 29), max(memory_available // 8, 1 << 26))
    rates = {
        size: _bandwidth(device, size, synchronize) for size in (max(cache_bytes // 4, 1 << 20), cache_bytes or 1 << 24)
    }
    rates[large] = _bandwidth(device, large, synchronize)
    rates_by_dtype = {
        _name(dtype): _matmul_rate(device, dtype, _GPU_SIZES, synchronize)
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    }
    if device.startswith("cuda"):
        rates_by_dtype["tfloat32"] = _tf32_rate(device, _GPU_SIZES, synchronize)
    return _limits(rates, large, rates_by_dtype, _launch_seconds(device, synchronize))


def _limits(rates: dict[int, float], large: int, matmul: dict[str, float | None], launch: float) -> DeviceLimits:
    return DeviceLimits(
        bandwidth=rates[large],
        peak_bandwidth=max(rates.values()),
        matmul_flops={name: rate for name, rate in matmul.items() if rate is not None},
        launch_seconds=launch,
        measured_on=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _wait_for_nothing() -> None:
    """The CPU has finished when the call returns."""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _bandwidth(device: str, size: int, synchronize: Callable[[], None]) -> float:
    """Bytes/s of the fastest way to stream a working set of ``size`` bytes: a sum, a largest value, or a copy of one
    half onto the other (which reads and writes ``size`` bytes in all)."""
    x = torch.ones(size // 4, dtype=torch.float32, device=device)
    half = x.numel() // 2
    ways: list[Callable[[], object]] = [x.sum, x.amax, lambda: x[:half].copy_(x[half : 2 * half])]
    return max(size / _best_seconds(way, synchronize, _STREAM_SECONDS) for way in ways)


def _matmul_rate(
    device: str, dtype: torch.dtype, sizes: tuple[int, ...], synchronize: Callable[[], None]
) -> float | None:
    """FLOP/s of square products, the fastest of growing sizes within the time allowed; ``None`` if not supported.

    The smaller sizes are always tried: where a busy machine spoils one of them, another tells the rate.
    """
    best, left = 0.0, _MATMUL_SECONDS
    for tried, n in enumerate(sizes):
        if best and tried >= _SIZES_ALWAYS and left <= 4 * 2 * n**3 / best:
            break
        began = time.perf_counter()
        try:
            a, b = (torch.ones(n, n, device=device, dtype=dtype) for _ in range(2))
            out = torch.empty_like(a)
            seconds = _best_seconds(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), synchronize, max(left, 0.0) / 6)
        except RuntimeError:  # this device has no matrix product in this dtype, or no room for a larger one
            break
        best = max(best, 2 * n**3 / seconds)
        left -= time.perf_counter() - began
    return best or None


def _tf32_rate(device: str, sizes: tuple[int, ...], synchronize: Callable[[], None]) -> float | None:
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        return _matmul_rate(device, torch.float32, sizes, synchronize)
    finally:
        torch.set_float32_matmul_precision(before)


def _launch_seconds(device: str, synchronize: Callable[[], None], calls: int = 200) -> float:
    """Seconds per operation on one element, queued back to back."""
    x = torch.zeros(1, device=device)

    def many() -> None:
        for _ in range(calls):
            x.add_(1)

    return _best_seconds(many, synchronize, 0.02) / calls


def _best_seconds(call: Callable[[], object], synchronize: Callable[[], None], budget: float) -> float:
    """Seconds of one call: the best batch that ``budget`` seconds hold, and of ``_FEWEST_BATCHES`` at least.

    On the CPU a batch is as short as the clock allows, so that some are not interrupted on a busy machine; on a device
    with a queue it is long enough for the wait at its end not to count.
    """
    call()
    synchronize()
    began = time.perf_counter()
    call()
    synchronize()
    once = max(time.perf_counter() - began, 1e-7)
    shortest = _CPU_BATCH_SECONDS if synchronize is _wait_for_nothing else _QUEUE_BATCH_SECONDS
    batch = max(1, min(1000, int(shortest / once)))
    best, spent, batches = once, once, 0
    while spent < budget or batches < _FEWEST_BATCHES:
        began = time.perf_counter()
        for _ in range(batch):
            call()
        synchronize()
        took = time.perf_counter() - began
        best = min(best, took / batch)
        spent += took
        batches += 1
    return best
