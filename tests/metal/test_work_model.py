"""Limits of occupancy and modelled times, from made-up counts."""

import pytest

from kernelwright.metal import AccessWork, BufferWork, KernelWork, modelled_times
from kernelwright.metal.apple_gpus import APPLE_GPUS


def kernel(read: int, flops: int = 0, memory: int = 0, group: tuple[int, int, int] = (256, 1, 1)) -> KernelWork:
    accesses = (
        AccessWork(3, "device", False, 0, "x", 64, 256, 8, 2),
        AccessWork(4, "device", True, 1, "y", 64, 256, 2, 2),
        AccessWork(5, "threadgroup", False, None, "t", 64, 256, 64, 2),
        AccessWork(6, "constant", False, 2, "n", 64, 256, 100, 2),
    )
    return KernelWork(
        kernel="k",
        grid=(1024, 1, 1),
        group=group,
        groups=4,
        groups_run=4,
        buffers=(BufferWork(0, "x", 3 * read, 0, read, 0), BufferWork(1, "n", 8, 0, 4, 0, "constant")),
        accesses=accesses,
        threadgroup_read=0,
        threadgroup_written=0,
        barriers=0,
        simd_operations=0,
        atomics=0,
        flops=flops,
        threadgroup_memory=memory,
    )


def times(*work: KernelWork) -> dict[str, tuple[float, str]]:
    return {time.gpu: (time.ms, time.bound) for time in modelled_times(work)}


def test_figures_of_one_kernel():
    work = kernel(read=1000, flops=600, memory=9000)
    assert (work.device_bytes, work.distinct_device_bytes) == (3000, 1004)
    assert work.arithmetic_intensity == 0.2
    assert work.coalescing == 4 / 10
    assert work.bank_efficiency == 2 / 64
    assert (work.groups_by_memory, work.groups_by_threads) == (3, 12)
    assert work.resident_threadgroups == 3
    assert kernel(read=0).groups_by_memory is None
    assert kernel(read=0).resident_threadgroups == 12
    assert kernel(read=0, flops=5).arithmetic_intensity == 0.0
    assert kernel(read=0, group=(32, 32, 1)).groups_by_threads == 3


def test_a_kernel_that_only_moves_bytes_is_modelled_everywhere():
    found = times(kernel(read=400_000_000 - 4))
    assert set(found) == {gpu.name for gpu in APPLE_GPUS}
    assert found["M1 Max"] == (pytest.approx(1.0), "bandwidth")
    assert found["M4"] == (pytest.approx(400 / 120), "bandwidth")
    assert found["M5 Max"] == (pytest.approx(400 / 614), "bandwidth")


def test_a_kernel_that_computes_is_modelled_where_the_rate_is_known():
    found = times(kernel(read=1000, flops=13_600_000_000))
    assert found["M2 Max"] == (pytest.approx(1.0), "arithmetic")
    assert found["M1"] == (pytest.approx(13.6 / 2.617), "arithmetic")
    assert set(found) == {gpu.name for gpu in APPLE_GPUS if gpu.tflops is not None}


def test_kernels_run_one_after_the_other():
    moves, computes = kernel(read=400_000_000 - 4), kernel(read=0, flops=3 * 10_617_000_000)
    ms, bound = times(moves, computes)["M1 Max"]
    assert ms == pytest.approx(1.0 + 3.0)
    assert bound == "arithmetic"
    assert times(moves, moves, moves, moves, computes)["M1 Max"] == (pytest.approx(7.0), "bandwidth")


def test_no_kernels_take_no_time():
    assert modelled_times([]) == ()


def test_the_table_is_in_order():
    assert len({gpu.name for gpu in APPLE_GPUS}) == len(APPLE_GPUS)
    assert all(gpu.source for gpu in APPLE_GPUS)
    known = [gpu for gpu in APPLE_GPUS if gpu.tflops is not None]
    assert all(gpu.tflops == gpu.least_tflops for gpu in known)
    assert all(gpu.cores * 0.32 < gpu.least_tflops < gpu.cores * 0.37 for gpu in APPLE_GPUS)
