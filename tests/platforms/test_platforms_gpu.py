"""CUDA and MPS. Without such a device the code runs against stand-ins that answer as PyTorch's documentation says."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from kernelwright.platforms import cuda, limits_file, measure
from kernelwright.platforms.cuda import CudaPlatform, EventStamps
from kernelwright.platforms.mps import MpsPlatform
from kernelwright.schema import DeviceLimits

LIMITS = DeviceLimits(bandwidth=1.0, peak_bandwidth=2.0, matmul_flops={}, launch_seconds=4.0)


class Queue:
    """A device's time line: an event knows its time only once the device has been waited for."""

    def __init__(self):
        self.now, self.waited_until, self.calls = 0.0, -1.0, []

    def event(self, enable_timing=False):
        assert enable_timing
        queue = self

        class Event:
            def record(self):
                queue.now += 1.5
                self.time = queue.now

            def elapsed_time(self, end):
                if end.time > queue.waited_until:
                    raise RuntimeError("event has not completed")
                return end.time - self.time

        return Event()

    def synchronize(self):
        self.calls.append("synchronize")
        self.waited_until = self.now


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def apple(monkeypatch, queue, tmp_path):
    """torch.mps and torch.backends.mps of a machine with an Apple GPU; tensors themselves lie in main memory."""
    stand_in = SimpleNamespace(
        Event=queue.event,
        synchronize=queue.synchronize,
        empty_cache=lambda: queue.calls.append("empty_cache"),
        recommended_max_memory=lambda: 12_000,
        current_allocated_memory=lambda: 2_000,
        driver_allocated_memory=lambda: 3_000,
    )
    monkeypatch.setattr(torch, "mps", stand_in)
    backend = torch.backends.mps
    monkeypatch.setattr(backend, "is_available", lambda: True)
    monkeypatch.setattr(backend, "get_name", lambda: "Apple M4 Max", raising=False)
    monkeypatch.setattr(backend, "get_core_count", lambda: 40, raising=False)
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    monkeypatch.setattr(MpsPlatform, "device", "cpu")
    return MpsPlatform()


def test_mps_facts_and_memory(apple, queue):
    facts = apple.facts()
    assert (facts.platform, facts.name, facts.cores) == ("mps", "Apple M4 Max", 40)
    assert facts.details["recommended_max_memory"] == "12000"
    assert apple.memory_available() == 10_000
    apple.reset_memory(at_least=1_001)
    assert not queue.calls, "1,000 bytes are cached"
    apple.reset_memory(at_least=1_000)
    apple.reset_memory()
    assert queue.calls == ["empty_cache"] * 2


def test_mps_stamps_wait_for_the_device(apple, queue):
    stamps = apple.stamps(3)
    for i in (0, 1):
        stamps.start(i)
        stamps.stop(i)
    assert queue.calls == []
    assert stamps.milliseconds() == [1.5, 1.5]
    assert queue.calls == ["synchronize"]


def test_mps_flush_and_limits(apple, monkeypatch):
    apple.flush_cache()
    assert apple._flush_buffer.untyped_storage().nbytes() == 96 << 20
    assert int(apple._flush_buffer.abs().max()) == 0
    seen = []

    def gpu_limits(device, cache, memory, synchronize):
        synchronize()
        seen.append((cache, memory))
        return LIMITS

    monkeypatch.setattr(measure, "gpu_limits", gpu_limits)
    assert apple.limits() == apple.limits() == LIMITS
    assert seen == [(48 << 20, 10_000)]
    assert len(list(limits_file.folder().iterdir())) == 1


def test_mps_works_with_a_torch_that_does_not_tell_name_and_cores(apple, monkeypatch):
    monkeypatch.delattr(torch.backends.mps, "get_name", raising=False)
    monkeypatch.delattr(torch.backends.mps, "get_core_count", raising=False)
    facts = apple.facts()
    assert facts.cores == 0
    assert facts.name


@pytest.mark.parametrize(
    ("system", "built", "said"),
    [("linux", False, "needs macOS"), ("darwin", False, "pip install"), ("darwin", True, "softwareupdate")],
)
def test_mps_says_what_is_missing(monkeypatch, system, built, said):
    monkeypatch.setattr("kernelwright.platforms.mps.sys.platform", system)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built)
    assert said in MpsPlatform().why_not()


@pytest.mark.parametrize(("version", "said"), [(None, "pip install torch"), ("13.0", "nvidia-smi")])
def test_cuda_says_what_is_missing(monkeypatch, version, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", version)
    assert said in CudaPlatform().why_not()


def test_cuda_facts_come_from_the_driver(monkeypatch):
    properties = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3",
        multi_processor_count=132,
        L2_cache_size=50 << 20,
        major=9,
        minor=0,
        max_threads_per_multi_processor=2048,
        shared_memory_per_block_optin=232448,
        warp_size=32,
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *index: (60 << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 3 << 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1 << 30)
    monkeypatch.setattr(cuda, "_driver_version", lambda: "580.65")
    facts = CudaPlatform().facts()
    assert (facts.name, facts.cores, facts.cache_bytes) == ("NVIDIA H100 80GB HBM3", 132, 50 << 20)
    assert facts.memory_bytes == 80 << 30
    assert (facts.details["capability"], facts.details["driver"]) == ("9.0", "580.65")
    assert CudaPlatform().memory_available() == 62 << 30
    monkeypatch.setattr(CudaPlatform, "device", "cpu")
    monkeypatch.setattr(CudaPlatform, "callers_stream", lambda self: nullcontext())
    platform = CudaPlatform()
    platform.flush_cache()
    assert platform._flush_buffer.untyped_storage().nbytes() == 100 << 20


@pytest.mark.parametrize(("code", "output", "version"), [(0, "580.65.06\n580.65.06\n", "580.65.06"), (9, "failed", "")])
def test_the_driver_version_is_what_nvidia_smi_prints(monkeypatch, code, output, version):
    monkeypatch.setattr(cuda.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=code, stdout=output))
    assert cuda._driver_version() == version


def test_without_nvidia_smi_the_driver_version_is_unknown(monkeypatch):
    def run(*args, **kwargs):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(cuda.subprocess, "run", run)
    assert cuda._driver_version() == ""


def test_calls_without_both_stamps_have_no_time(queue):
    stamps = EventStamps(3, lambda: queue.event(enable_timing=True), queue.synchronize)
    stamps.start(0)
    stamps.stop(0)
    stamps.start(1)
    assert stamps.milliseconds() == [1.5]


def test_gpu_limits_on_any_device(monkeypatch):
    monkeypatch.setattr(measure, "_MATMUL_SECONDS", 0.001)
    monkeypatch.setattr(measure, "_STREAM_SECONDS", 0.001)
    monkeypatch.setattr(measure, "_GPU_SIZES", (16, 32))
    waits = []
    found = measure.gpu_limits("cpu", 1 << 20, 1 << 26, lambda: waits.append(1))
    assert found.peak_bandwidth >= found.bandwidth > 0
    assert "tfloat32" not in found.matmul_flops
    assert waits


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_cuda_on_hardware(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    platform = CudaPlatform()
    facts = platform.facts()
    assert facts.cores > 0
    assert facts.cache_bytes > 0
    assert facts.details["driver"]
    assert 0 < platform.memory_available() <= facts.memory_bytes
    x = torch.ones(1 << 20, device=platform.device)
    stamps = platform.stamps(4)
    for i in range(4):
        platform.flush_cache()
        stamps.start(i)
        x.mul_(1.5)
        stamps.stop(i)
    times = stamps.milliseconds()
    assert len(times) == 4
    assert all(0 < t < 1000 for t in times)
    limits = platform.limits()
    assert limits.peak_bandwidth >= limits.bandwidth > 1e10
    assert {"float32", "bfloat16", "float16", "tfloat32"} <= limits.matmul_flops.keys()
    platform.reset_memory()
