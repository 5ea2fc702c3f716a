"""The driver's functions, called on a library that stands in for it."""

import ctypes
import re
from pathlib import Path

import pytest
import torch
from metal_programs import ADD
from nvidia_stand_in import STREAM, HostGpu, Launched, StandIn, compile_stand_in

from kernelwright.metal import compile_shader
from kernelwright.metal.errors import MetalRunError, NvidiaMissing
from kernelwright.metal.nvidia.driver import Driver
from kernelwright.metal.nvidia.kernel import KwGpuLaunch
from kernelwright.metal.toolchain import Toolchain

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
PTX = ".version 7.8\n.target sm_90\n.visible .entry kw_kernel_0(\n.param .align 8 .b8 kw_kernel_0_param_0[784]\n)\n"


@pytest.fixture(scope="module")
def library(ptx_toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_stand_in(ptx_toolchain, tmp_path_factory.mktemp("stand_in"))


@pytest.fixture
def machine(library: Path, request: pytest.FixtureRequest) -> StandIn:
    return StandIn(library, re.sub(r"\W", "_", request.node.name))


@pytest.fixture
def gpu(machine: StandIn) -> HostGpu:
    return machine.gpu()


@pytest.fixture
def launches(machine: StandIn) -> list[Launched]:
    found: list[Launched] = []
    machine.on_launch(lambda launched: found.append(launched) or 0)
    return found


def test_what_the_driver_says(machine: StandIn):
    machine.set("devices", 2)
    driver = machine.driver()
    assert driver.device_count() == 2
    assert driver.name(1) == "Stand-in 1"
    assert machine.gpu().backend().arch == "sm_90"
    machine.set("capability", 87)
    assert machine.gpu().backend().arch == "sm_86"
    machine.set("capability", 61)
    with pytest.raises(ValueError, match=r"6\.1"):
        machine.gpu().backend()


def test_machines_without_a_gpu(machine: StandIn, tmp_path: Path):
    with pytest.raises(NvidiaMissing, match=r"no NVIDIA GPU here: libgone\.so cannot be loaded"):
        Driver("libgone.so")
    with pytest.raises(NvidiaMissing, match="cuInit"):  # a library, but none of the driver's
        Driver("libc.so.6")
    machine.set("devices", 0)
    with pytest.raises(NvidiaMissing, match="CUDA_ERROR_NO_DEVICE") as caught:
        machine.driver()
    assert len(str(caught.value).splitlines()) == 1


def test_ptx_that_is_none(machine: StandIn):
    gpu = machine.gpu()
    with pytest.raises(MetalRunError) as caught, gpu.driver.current(gpu.context):
        gpu.driver.load("nonsense")
    assert "CUDA_ERROR_INVALID_PTX" in str(caught.value) and "Missing .version directive" in str(caught.value)
    assert machine.depth() == 0


def test_the_context_is_pytorchs_and_only_for_the_call(machine: StandIn):
    gpu = machine.gpu()
    with pytest.raises(MetalRunError, match="CUDA_ERROR_INVALID_CONTEXT"):
        gpu.driver.load(PTX)
    machine.calls()
    with gpu.driver.current(gpu.context):
        assert gpu.driver.function(gpu.driver.load(PTX), "kw_kernel_0")
    assert machine.calls() == ["push", "load 0", "function kw_kernel_0", "pop"]


def test_a_launch(machine: StandIn, gpu: HostGpu, launches: list[Launched]):
    add = gpu.library(ADD).add
    a, b, out = (torch.zeros(1000) for _ in range(3))
    machine.calls()
    add(a, b, out[100:], threads=[900], group_size=[64])
    assert machine.calls() == ["push", f"launch kw_kernel_0 15,1,1 64,1,1 shared 0 stream {STREAM:#x}", "pop"]
    (launched,) = launches
    record = launched.record
    assert len(launched.parameter) == ctypes.sizeof(KwGpuLaunch) == 784
    assert list(record.buffer[:4]) == [a.data_ptr(), b.data_ptr(), out.data_ptr() + 400, None]
    assert list(record.grid) == [900, 1, 1]
    assert not any(record.threadgroup_offset)
    assert machine.depth() == 0


def test_numbers_and_lists_travel_as_one_piece(gpu: HostGpu, launches: list[Launched]):
    source = f"""{HEAD}
kernel void k(device float* x, constant long& n, constant float* f, constant int& small, device float* const* all,
              uint i [[thread_position_in_grid]]) {{ x[i] = n + f[1] + small + all[1][i]; }}
"""
    x, y = torch.zeros(8), torch.zeros(8)
    gpu.library(source).k(x, 5, [1.5, 2.5], 7, [x, y], arg_casts={3: "int32"})
    (copy,) = gpu.copies
    record = launches[0].record
    assert record.buffer[0] == x.data_ptr()

    def at(index: int, kind: type) -> list[int]:
        address = record.buffer[index]
        assert copy.data_ptr() <= address < copy.data_ptr() + copy.numel() and address % 16 == 0
        return list((kind * 2).from_address(address))

    assert at(1, ctypes.c_int64)[0] == 5
    assert at(2, ctypes.c_float) == [1.5, 2.5]
    assert at(3, ctypes.c_int32)[0] == 7
    assert at(4, ctypes.c_uint64) == [x.data_ptr(), y.data_ptr()]


def test_threadgroup_memory(gpu: HostGpu, launches: list[Launched]):
    source = f"""{HEAD}
kernel void k(device float* x, threadgroup float* a [[threadgroup(0)]], threadgroup half* b [[threadgroup(1)]],
              uint i [[thread_position_in_threadgroup]]) {{
  threadgroup float fixed[100];
  fixed[i] = x[i]; a[i] = x[i]; b[i] = half(x[i]);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  x[i] = fixed[i ^ 1] + a[i ^ 1] + float(b[i ^ 1]);
}}
"""
    kernel = gpu.library(source).k
    assert kernel.static_thread_group_memory_length == 400
    x = torch.zeros(64)
    kernel(x, threads=64, group_size=64, threadgroup_bytes={0: 260, 1: 128})
    (launched,) = launches
    first, second = launched.record.threadgroup_offset[:2]
    assert (first, second) == (0, 320)
    assert launched.shared_bytes == second + 128
    with pytest.raises(RuntimeError, match="needs 33168 bytes of threadgroup memory; Apple GPUs have 32768"):
        kernel(x, threads=64, group_size=64, threadgroup_bytes={0: 32640, 1: 128})
    assert len(launches) == 1


def test_large_threadgroups_get_fewer_registers(machine: StandIn, launches: list[Launched]):
    machine.set("most_threads", 640)
    add = machine.gpu().library(ADD).add
    tensors = [torch.zeros(2048) for _ in range(3)]
    add(*tensors, group_size=640)
    assert "load 64" not in machine.calls()
    for _ in range(2):
        add(*tensors, group_size=1024)
    assert machine.calls().count("load 64") == 1
    add(*tensors, group_size=700)
    assert "load 88" in machine.calls()
    assert [launched.group[0] for launched in launches] == [640, 1024, 1024, 700]


@pytest.mark.parametrize(
    ("threads", "group", "error", "said"),
    [
        ([8, 70000], [1, 1], RuntimeError, "8 × 70000 × 1 threadgroups; NVIDIA GPUs take 2147483647 × 65535 × 65535"),
        ([1, 1, 128], [1, 1, 128], RuntimeError, "a threadgroup of 1 × 1 × 128 threads; NVIDIA GPUs take"),
        ([8], [2000], ValueError, "Threadgroup size exceeds 1024 limit"),
    ],
)
def test_what_the_gpu_cannot_take(gpu: HostGpu, threads: list[int], group: list[int], error: type, said: str):
    with pytest.raises(error, match=said):
        gpu.library(ADD).add(*(torch.zeros(8) for _ in range(3)), threads=threads, group_size=group)


def test_calls_are_refused_as_on_the_cpu(gpu: HostGpu, launches: list[Launched]):
    limited = gpu.library(ADD.replace("kernel void", "[[max_total_threads_per_threadgroup(64)]] kernel void")).add
    x = torch.zeros(128)
    assert limited.max_threads_per_threadgroup == 64
    with pytest.raises(ValueError, match="exceeds 64 limit"):
        limited(x, x, x, group_size=128)
    limited(x, x, x)
    assert launches[0].group == (64, 1, 1)
    with pytest.raises(RuntimeError, match=r"buffer 2 \(out\) was not given"):
        limited(x, x)
    with pytest.raises(ValueError, match="an NVIDIA GPU runs threads in its own order, not SHUFFLED"):
        limited(x, x, x, order="shuffled")
    limited(x, x, x, threads=0)
    assert len(launches) == 1


def test_tensors_elsewhere(gpu: HostGpu, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(HostGpu, "device", torch.device("cuda", 1))
    add = gpu.library(ADD).add
    x = torch.zeros(8)
    with pytest.raises(RuntimeError, match="argument 0 is on device cpu: this library's kernels run on cuda:1 tensors"):
        add(x, x, x)


def test_a_program_without_kernels(gpu: HostGpu):
    assert dir(gpu.library("constant int nothing = 1;")) == []


def test_numbers_in_tensors(gpu: HostGpu, launches: list[Launched], monkeypatch: pytest.MonkeyPatch):
    """A CPU tensor without a dimension is a number, as for PyTorch's own operations; float64 becomes float32."""
    source = f"{HEAD}kernel void k(constant float& x, constant int& n) {{}}"
    kernel = gpu.library(source).k
    monkeypatch.setattr(kernel, "_device", torch.device("cuda", 0))
    kernel(torch.tensor(1.5, dtype=torch.float64, requires_grad=True), torch.tensor(7, dtype=torch.int32), threads=1)
    first, second = launches[0].record.buffer[:2]
    assert ctypes.c_float.from_address(first).value == 1.5
    assert ctypes.c_int32.from_address(second).value == 7
    with pytest.raises(RuntimeError, match="argument 0 is on device cpu: this library's kernels run on cuda:0 tensors"):
        kernel(torch.tensor([1.5]), 7, threads=1)


def test_errors_of_a_launch(machine: StandIn, gpu: HostGpu):
    add = gpu.library(ADD).add
    x = torch.zeros(8)
    machine.fail("cuLaunchKernel", 700)
    with pytest.raises(MetalRunError, match="cuLaunchKernel failed: CUDA_ERROR_ILLEGAL_ADDRESS") as caught:
        add(x, x, x)
    assert len(str(caught.value).splitlines()) == 1
    assert machine.depth() == 0
    add(x, x, x)


def test_errors_that_a_kernel_reports(machine: StandIn, gpu: HostGpu):
    def report(launched: Launched) -> int:
        message = b"\0" * 256 + b"index 7 is too large"
        ctypes.memmove(launched.record.buffer[3], (1).to_bytes(4, "little") + message, 4 + len(message))
        return 0

    machine.on_launch(report)
    source = ADD.replace("device float* out,", "device float* out, device int* errors,")
    x = torch.zeros(8)
    with pytest.raises(torch.AcceleratorError, match="index 7 is too large"):
        gpu.library(source).add(x, x, x, error_buf_idx=3)


def test_the_public_way(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="check=True watches kernels on the CPU only, not on device 'cuda'"):
        compile_shader(ADD, device="cuda", check=True)
    with pytest.raises(ValueError, match="Metal kernels run on device 'cpu' or 'cuda', not on 'tpu'"):
        compile_shader(ADD, device="tpu")


def test_candidates_for_the_mac_run_where_the_judge_says(monkeypatch: pytest.MonkeyPatch):
    from kernelwright.metal.nvidia import kernel
    from kernelwright.metal.stand_in.device import MpsDevice
    from kernelwright.metal.stand_in.journal import Journal
    from kernelwright.metal.stand_in.kernels import StandInLibrary

    monkeypatch.setattr(kernel, "driver", lambda: Driver("libgone.so"))
    assert dir(StandInLibrary(ADD, MpsDevice("cpu"), Journal())) == ["add"]
    with pytest.raises(NvidiaMissing):
        StandInLibrary(ADD, MpsDevice("cuda"), Journal())


def test_without_a_gpu_one_line_says_so(machine: StandIn, monkeypatch: pytest.MonkeyPatch):
    from kernelwright.metal.nvidia import kernel

    monkeypatch.setattr(kernel, "driver", lambda: Driver("libgone.so"))
    with pytest.raises(NvidiaMissing, match=r"no NVIDIA GPU here: libgone\.so"):
        compile_shader(ADD, device="cuda")
    monkeypatch.setattr(kernel, "driver", machine.driver)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NvidiaMissing, match="cannot use the NVIDIA GPU: install one built for CUDA"):
        compile_shader(ADD, device="cuda:0")
