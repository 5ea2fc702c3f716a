"""Target ``cuda`` as docs/targets.md has it: the recipe for NVRTC, and what both compilers say of a wrong kernel."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.platforms import cuda_toolkit
from kernelwright.schema import Candidate, Problem, Status, Target

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "targets.md"
PROBLEM = """
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return x * 0.125


def get_inputs():
    return [torch.randn(1000)]


def get_init_inputs():
    return []
"""
NVRTC = '''
import torch

SOURCE = r"""{source}"""
kernel = torch.cuda._compile_kernel(SOURCE, "my_kernel")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty_like(x)
        blocks = (x.numel() + 255) // 256
        kernel(grid=(blocks, 1, 1), block=(256, 1, 1), args=[x, y, x.numel()])
        return y
'''
INLINE = '''
import torch
from torch.utils.cpp_extension import load_inline

SOURCE = """
__global__ void eighth(const float *x, float *y, int n) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = missing(x[i]);
}
torch::Tensor run(torch::Tensor x) { return x; }
"""
DECLARATION = "torch::Tensor run(torch::Tensor x);"
module = load_inline("eighth", cpp_sources=DECLARATION, cuda_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return module.run(x)
'''
TRITON = """
import torch
import triton
import triton.language as tl


@triton.jit
def eighth(x, y, DEPTH: tl.constexpr):
    rows, depth = tl.arange(0, 64), tl.arange(0, DEPTH)
    a = tl.load(x + rows[:, None] * DEPTH + depth[None, :])
    b = tl.load(x + depth[:, None] * 64 + rows[None, :])
    tl.store(y + rows[:, None] * 64 + rows[None, :], tl.dot(a, b))


class ModelNew(torch.nn.Module):
    def forward(self, x):
        space = torch.zeros(64 * 1024, device=x.device)
        eighth[(1,)](space, space, DEPTH=1024)
        return x
"""


def recipe() -> str:
    found = re.search(r'^SOURCE = r"""(.*?)"""$', PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_recipe_keeps_its_own_rules(tmp_path: Path):
    source = recipe()
    assert source.strip().startswith('extern "C" {') and source.strip().endswith("}")
    assert "#include" not in source and "template" not in source


@pytest.mark.skipif(cuda_toolkit.nvcc() is None, reason="nvcc is not installed")
def test_the_recipe_compiles(tmp_path: Path):
    path = tmp_path / "kernel.cu"
    path.write_text(recipe())
    command = [str(cuda_toolkit.nvcc()), "-arch=compute_80", "--ptx", str(path), "-o", str(tmp_path / "kernel.ptx")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ".entry my_kernel(" in (tmp_path / "kernel.ptx").read_text()


@pytest.fixture(scope="module")
def session() -> Iterator[JudgeSession]:
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    problem = Problem(name="eighth", format="kernelbench", source=PROBLEM)
    with JudgeSession(problem, platforms.get("cuda"), JudgeSettings(timing=False, unsafe=True)) as session:
        yield session


def judge(session: JudgeSession, source: str, target: Target = Target.CUDA):
    return session.judge(Candidate(source=source, author="test", target=target))


@pytest.mark.cuda
def test_the_recipe_is_correct_on_a_gpu(session: JudgeSession):
    verdict = judge(session, NVRTC.replace("{source}", recipe()))
    assert verdict.status is Status.CORRECT, verdict.feedback


@pytest.mark.cuda
def test_nvrtc_errors_come_back_with_lines(session: JudgeSession):
    source = NVRTC.replace("{source}", recipe().replace("scaled(x[i])", "missing(x[i])"))
    verdict = judge(session, source)
    row = 1 + next(n for n, line in enumerate(source.splitlines()) if "missing" in line)
    assert verdict.status is Status.COMPILE_FAILED, verdict.feedback
    assert 'identifier "missing" is undefined' in verdict.feedback
    assert f"> {row:4} |" in verdict.feedback


@pytest.mark.cuda
@pytest.mark.slow
@pytest.mark.skipif(cuda_toolkit.nvcc() is None, reason="nvcc is not installed")
def test_nvcc_errors_come_back_with_lines(session: JudgeSession):
    verdict = judge(session, INLINE)
    assert verdict.status is Status.COMPILE_FAILED, verdict.feedback
    assert 'identifier "missing" is undefined' in verdict.feedback
    assert ">    8 |     if (i < n) y[i] = missing(x[i]);" in verdict.feedback


@pytest.mark.cuda
@pytest.mark.slow
def test_too_much_shared_memory_in_triton_is_told_with_its_numbers(session: JudgeSession):
    verdict = judge(session, TRITON, Target.TRITON)
    assert verdict.status is Status.COMPILE_FAILED, verdict.feedback
    assert "out of resource" in verdict.feedback and "Hardware limit:" in verdict.feedback
