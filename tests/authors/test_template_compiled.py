"""Kernels of reductions and scans, compiled for an H100 without one: they read 16 bytes at a time.

Triton finds out by itself where addresses are multiples of 16; how an offset is written decides whether it can.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from compiled_kit import compiled, triton_compile
from torch import nn

from kernelwright.authors.templates import reductions, rows, scans
from kernelwright.authors.templates.kernels import halves

pytest.importorskip("triton")


class Module(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


LOOPED = [(rows, "KEPT", 2048), (rows, "FILLS", 1)]
PARTS = [(rows, "KEPT", 2048), (rows, "FILLS", 10_000)]
CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[int, ...], list[Any]]] = {
    "whole": (lambda x: (x * 2.0).softmax(1), (80, 8192), []),
    "whole, across": (lambda x: torch.relu(x).softmax(1), (4, 64, 32, 32), []),
    "looped": (lambda x: F.layer_norm(F.gelu(x), x.shape[1:]), (16, 81920), LOOPED),
    "reduced": (lambda x: x.logsumexp(1), (16, 81920), LOOPED),
    "in parts": (lambda x: x / torch.norm(x), (16, 81920), PARTS),
    "scan": (lambda x: x.cumsum(1), (16, 8192), []),
    "scan, backwards": (lambda x: x.flip(1).cumsum(1).flip(1), (16, 8192), []),
}


@pytest.mark.parametrize("name", CASES)
def test_16_bytes_at_a_time(name: str, tmp_path: Path) -> None:
    function, shape, limits = CASES[name]
    small = [(reductions, "FEWEST_ELEMENTS", 1), (scans, "FEWEST_ELEMENTS", 1), (scans, "FEWEST_ROWS", 1)]
    _, texts = compiled(Module(function), [torch.randn(shape)], [*limits, *small], tmp_path)
    assert len(texts) == (2 if name == "in parts" else 1)
    for text in texts:
        reads = [line for line in text.splitlines() if "ld.global" in line]
        assert any(".v4." in line for line in reads)
        assert sum(".v4." in line for line in reads) >= len(reads) // 2


def test_a_loop_over_nearly_as_many_elements_as_32_bits_count_counts_with_64() -> None:
    """Its last step leads beyond 2³¹: KernelBench's level1/76 has inputs of 2³¹ - 32768 elements."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {"x": "*fp32", "largest": "*i32", "N": "i32", "BLOCK": "constexpr"}
    made = triton_compile(ASTSource(halves.largest_kernel, signature, {(3,): 8192}), GPUTarget("cuda", 90, 32), {})
    loops = [line for line in made.asm["ttir"].splitlines() if "scf.for" in line]
    assert len(loops) == 1
    assert loops[0].rstrip().endswith(": i64 {")
