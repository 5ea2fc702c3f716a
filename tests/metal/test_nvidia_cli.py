"""``kernelwright metal ptx`` and ``kernelwright metal run --metal-device cuda``."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from metal_programs import ADD
from nvidia_stand_in import Launched, StandIn, compile_stand_in
from typer.testing import CliRunner, Result

from kernelwright.cli.main import app
from kernelwright.metal.nvidia import kernel as nvidia
from kernelwright.metal.nvidia.driver import Driver
from kernelwright.metal.toolchain import Toolchain

RUN = ("run", "add.metal", "--kernel", "add", "--metal-device", "cuda")
BUFFERS = ("--buffer", "f32:100:ones", "--buffer", "f32:100:arange", "--buffer", "f32:100:zeros:out")
Metal = Callable[..., Result]


@pytest.fixture
def metal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ptx_toolchain: Toolchain) -> Metal:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "add.metal").write_text(ADD + ADD.partition("namespace metal;")[2].replace("add(", "twice("))
    (tmp_path / "broken.metal").write_text(ADD.replace("a[i] +", "a[i] + missing +"))
    (tmp_path / "scale.metal").write_text(
        '#include "factor.h"\nconstant int shift [[function_constant(0)]];\n'
        "kernel void scale(device float* x [[buffer(0)]]) { x[0] = FACTOR * x[0] + shift; }\n"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "factor.h").write_text("#define FACTOR (WISH + 1)\n")
    return lambda *arguments: CliRunner().invoke(app, ["metal", *arguments])


@pytest.fixture
def machine(tmp_path: Path, ptx_toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(compile_stand_in(ptx_toolchain, tmp_path), "cli")
    monkeypatch.setattr(nvidia, "gpu", lambda device: made.gpu())
    return made


def adds(launched: Launched) -> int:
    """What the kernel does, done here."""
    count = launched.record.grid[0]
    a, b, out = (np.ctypeslib.as_array((np.ctypeslib.ctypes.c_float * count).from_address(address))
                 for address in launched.record.buffer[:3])  # fmt: skip
    out[:] = a + b
    return 0


def test_ptx(metal: Metal):
    done = metal("ptx", "add.metal")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("// kw_kernel_0: add\n// kw_kernel_1: twice\n")
    assert ".target sm_90" in done.stdout
    assert re.findall(r"\.entry (\w+)\(", done.stdout) == ["kw_kernel_0", "kw_kernel_1"]


def test_ptx_needs_no_torch(metal: Metal):
    code = "import sys\nfrom kernelwright.cli.main import main\nmain(['metal', 'ptx', 'add.metal'])\n"
    code += "print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"
    assert ".entry kw_kernel_0(" in done.stdout


def test_ptx_of_one_kernel_for_another_architecture_into_a_file(metal: Metal, tmp_path: Path):
    done = metal("ptx", "add.metal", "--kernel", "twice", "--arch", "sm_80", "--out", "twice.ptx")
    assert (done.exit_code, done.stdout) == (0, "")
    text = (tmp_path / "twice.ptx").read_text()
    assert text.startswith("// kw_kernel_0: twice\n")
    assert ".target sm_80" in text
    assert re.findall(r"\.entry (\w+)\(", text) == ["kw_kernel_0"]


def test_ptx_with_folders_macros_and_constants(metal: Metal):
    done = metal("ptx", "scale.metal", "--include", "more", "--define", "WISH=41", "--constant", "shift=3")
    assert done.exit_code == 0, done.output
    assert "0f42280000" in done.stdout  # 42
    assert "0f40400000" in done.stdout  # 3


def test_ptx_of_what_does_not_compile(metal: Metal):
    done = metal("ptx", "broken.metal")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "broken.metal:6:" in done.stderr
    assert done.stderr.endswith("FAILED: broken.metal does not compile\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ptx", "gone.metal"], "no such Metal file"),
        (["ptx", "add.metal", "--kernel", "sub"], "no kernel sub; there are add, twice"),
        (["ptx", "add.metal", "--arch", "sm_1"], "no architecture 'sm_1': there are sm_70"),
        (["ptx", "add.metal", "--out", "no/folder/x.ptx"], "no/folder/x.ptx"),
        (["ptx", "add.metal", "--constant", "n=x"], "constant n"),
        (["run", "add.metal", "--kernel", "add", "--metal-device", "tpu"], "'tpu' is not one of 'cpu', 'cuda'"),
    ],
)
def test_wrong_usage_of_ptx(metal: Metal, arguments: list[str], said: str):
    done = metal(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert said in done.stderr


def test_run_without_a_gpu(metal: Metal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nvidia, "driver", lambda: Driver("libgone.so"))
    for more in ([], ["--json"]):
        done = metal(*RUN, *BUFFERS, *more)
        assert (done.exit_code, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert "no NVIDIA GPU here" in done.stderr


def test_run_on_the_gpu(metal: Metal, machine: StandIn):
    machine.on_launch(adds)
    done = metal(*RUN, *BUFFERS)
    assert done.exit_code == 0, done.output
    assert "buffer 2 (f32 100): 1, 2, 3, 4, 5, 6, 7, 8, …" in done.stdout
    assert "OK: kernel add ran. Compiled and run for this NVIDIA GPU, without checks: no proof" in done.stdout
    found = json.loads(metal(*RUN, *BUFFERS, "--json").stdout)
    assert (found["device"], found["ok"], found["outputs"][0]["largest"]) == ("cuda", True, 100)


def test_run_that_breaks_off(metal: Metal, machine: StandIn, monkeypatch: pytest.MonkeyPatch):
    machine.fail("cuLaunchKernel", 700)
    done = metal(*RUN, *BUFFERS, "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in found["error"]
    assert found["outputs"] == []

    def wait(_: nvidia.Gpu) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nmore")

    monkeypatch.setattr("nvidia_stand_in.HostGpu.synchronize", wait)
    done = metal(*RUN, *BUFFERS)
    assert done.exit_code == 1
    assert "FAILED: kernel add: CUDA error: an illegal memory access was encountered\n" in done.stdout
