"""The CPU platform: facts, stamps, the flush, and limits that are measured once."""

import json
import os

import pytest
import torch

from kernelwright.platforms import cpu_facts, limits_file, measure
from kernelwright.platforms.cpu import CpuPlatform
from kernelwright.schema import DeviceLimits

LIMITS = DeviceLimits(bandwidth=1.0, peak_bandwidth=2.0, matmul_flops={"float32": 3.0}, launch_seconds=4.0)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    return tmp_path


def test_facts_of_this_machine():
    facts = CpuPlatform().facts()
    assert facts.platform == "cpu"
    assert facts.name
    assert 0 < facts.cores <= (os.cpu_count() or 1)
    assert facts.memory_bytes > 1 << 28
    assert facts.cache_bytes >= 0
    assert facts.details["torch"] == torch.__version__
    assert 0 < CpuPlatform().memory_available() <= facts.memory_bytes


@pytest.mark.parametrize(
    ("text", "size"), [("32768K\n", 32 << 20), ("1M", 1 << 20), ("  7912408 kB", 7912408 << 10), ("512", 512), ("", 0)]
)
def test_sizes_as_the_system_writes_them(text, size):
    assert cpu_facts._size(text) == size


def test_a_control_group_bounds_memory(monkeypatch, tmp_path):
    for name, text in (
        ("memory.max", str(1 << 30)),
        ("memory.current", "900000000"),
        ("memory.stat", "anon 1\ninactive_file 5"),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cpu_facts, "_group_files", lambda file: [tmp_path / "none", tmp_path / file])
    assert cpu_facts.memory_total() == 1 << 30
    assert cpu_facts.memory_available() == (1 << 30) - 900000000 + 5
    (tmp_path / "memory.max").write_text("max\n")
    assert cpu_facts.memory_total() > 1 << 30


def test_stamps_are_in_milliseconds_in_order(monkeypatch):
    from kernelwright.platforms import cpu

    ticks = iter([10_000_000, 12_500_000, 20_000_000, 20_000_001])
    monkeypatch.setattr(cpu, "_clock", lambda: next(ticks))
    stamps = CpuPlatform().stamps(3)
    for i in range(2):
        stamps.start(i)
        stamps.stop(i)
    assert stamps.milliseconds() == [2.5, 1e-6]


def test_a_patched_clock_does_not_reach_the_stamps(monkeypatch):
    import time

    monkeypatch.setattr(time, "perf_counter_ns", lambda: 7)
    stamps = CpuPlatform().stamps(1)
    stamps.start(0)
    sum(range(1000))
    stamps.stop(0)
    assert stamps.milliseconds()[0] > 0


@pytest.mark.parametrize(("cache", "size"), [(0, 32 << 20), (20 << 20, 40 << 20), (1 << 30, 256 << 20)])
def test_the_flush_writes_twice_the_cache_within_bounds(monkeypatch, cache, size):
    from kernelwright.platforms import cpu

    monkeypatch.setattr(cpu, "last_level_cache", lambda: cache)
    platform = CpuPlatform()
    platform.flush_cache()
    platform.flush_cache()
    assert platform._flush_buffer.untyped_storage().nbytes() == size
    platform.reset_memory()
    assert platform._flush_buffer is None
    platform.synchronize()


def test_limits_are_measured_once_and_again_on_request(monkeypatch):
    measured = []
    monkeypatch.setattr(measure, "cpu_limits", lambda cache: measured.append(cache) or LIMITS)
    assert CpuPlatform().limits() == CpuPlatform().limits() == LIMITS
    assert len(measured) == 1
    assert CpuPlatform().limits(refresh=True) == LIMITS
    assert len(measured) == 2


def test_limits_are_kept_apart_by_key_and_broken_files_are_replaced(home):
    other = LIMITS.model_copy(update={"bandwidth": 9.0})
    assert limits_file.cached(("a", "1 thread"), lambda: LIMITS) == LIMITS
    assert limits_file.cached(("a", "2 threads"), lambda: other) == other
    files = sorted((home / "limits").iterdir())
    assert len(files) == 2
    assert all(json.loads(file.read_text())["launch_seconds"] == 4.0 for file in files)
    for file in files:
        file.write_text("{")
    assert limits_file.cached(("a", "1 thread"), lambda: other) == other
    assert limits_file.cached(("a", "1 thread"), lambda: LIMITS) == other


def test_a_second_measurement_keeps_the_better_of_each_figure():
    slow = LIMITS.model_copy(update={"bandwidth": 0.5, "launch_seconds": 3.0, "matmul_flops": {"float16": 7.0}})
    assert limits_file.cached(("a",), lambda: LIMITS) == LIMITS
    both = limits_file.cached(("a",), lambda: slow, refresh=True)
    assert (both.bandwidth, both.peak_bandwidth, both.launch_seconds) == (1.0, 2.0, 3.0)
    assert both.matmul_flops == {"float16": 7.0, "float32": 3.0}
    assert limits_file.cached(("a",), lambda: LIMITS) == both


def test_a_home_that_cannot_be_written_costs_a_measurement(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "file"))
    assert limits_file.cached(("a",), lambda: LIMITS) == LIMITS


def test_measured_limits_are_plausible(monkeypatch):
    monkeypatch.setattr(measure, "_MATMUL_SECONDS", 0.01)
    monkeypatch.setattr(measure, "_STREAM_SECONDS", 0.002)
    found = measure.cpu_limits(1 << 20)
    assert 1e7 < found.bandwidth <= found.peak_bandwidth < 1e14
    assert 1e7 < found.matmul_flops["float32"] < 1e15
    assert 0 < found.launch_seconds < 1e-2
    assert found.measured_on


def test_a_dtype_without_a_matrix_product_has_no_rate():
    assert measure._matmul_rate("cpu", torch.bool, (16,), measure._wait_for_nothing) is None


def test_stalls_at_the_start_are_not_taken_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    calls: list[None] = []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    def call() -> None:
        calls.append(None)
        now[0] += 0.04 if len(calls) < 6 else 0.001

    assert measure._best_seconds(call, measure._wait_for_nothing, 0.03) == pytest.approx(0.001)
