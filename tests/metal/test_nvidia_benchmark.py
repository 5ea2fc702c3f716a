"""``benchmarks/metal_cuda.py`` without a GPU: its kernels are right on the CPU and become PTX."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kernelwright.metal import compile_shader
from kernelwright.metal.nvidia.ptx import PtxBuilder, unresolved
from kernelwright.metal.program import build
from kernelwright.metal.toolchain import Toolchain

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ["add", "softmax", "layer norm", "scan", "tiles", "simdgroup_matrix", "histogram"]


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import metal_cuda_cases

    return metal_cuda_cases


@pytest.mark.parametrize("name", NAMES)
def test_kernels_of_the_benchmark(cases: ModuleType, ptx_toolchain: Toolchain, name: str, tmp_path: Path):
    (case,) = [case for case in cases.CASES if name in case.name]
    torch.manual_seed(0)
    setup = case.prepare("cpu", case.small)
    kernel = getattr(compile_shader(case.source), case.kernel)
    kernel(*setup.arguments, threads=setup.threads, group_size=setup.group_size, arg_casts=dict(setup.casts))
    exact = setup.exact()
    torch.testing.assert_close(setup.out.to(exact.dtype), exact, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(setup.eager().to(exact.dtype), exact, rtol=1e-5, atol=1e-4)

    program = build(case.source, backend=PtxBuilder(ptx_toolchain, "sm_90"))
    ptx = program.library.read_text()
    assert unresolved(ptx) == []
    if name == "simdgroup_matrix":  # 8 for each of four left matrices, 16 for each right one, though all meet all
        assert ptx.count("shfl.sync") == 4 * 8 + 4 * 16
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90", "-v", str(program.library), "-o", str(tmp_path / "x.cubin")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        assert set(re.findall(r"(\d+) bytes spill", said)) == {"0"}


def test_all_are_tried(cases: ModuleType):
    assert len(cases.CASES) == len(NAMES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu(ptx_toolchain: Toolchain):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "metal_cuda.py")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "NVIDIA GPU" in done.stderr and len(done.stderr.splitlines()) == 1
