"""Split products (docs/templates.md) beside eager float32 and Triton's tf32x3: milliseconds and errors.

    python benchmarks/split_products.py [--calls 20]

On an NVIDIA GPU. Kernels alone, operands split beforehand; medians by CUDA events, each call by itself. Errors are
norms of the difference to the product in float64, over the norm of that.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.tiles import LARGE

SHAPES = ((1024, 8192, 8192), (4096, 4096, 4096))
"""Rows, columns, depth."""
TF32X3 = """

@triton.jit
def tf32x3_kernel(a, b, out, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    program, across = tl.program_id(0), tl.cdiv(N, BN)
    group = program // (8 * across)
    height = tl.minimum(tl.cdiv(M, BM) - group * 8, 8)
    within = program % (8 * across)
    row = (group * 8 + within % height) * BM + tl.arange(0, BM)
    column = (within // height) * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    x = tl.zeros([BM, BN], tl.float32)
    for start in range(0, K, BK):
        left = tl.load(a + row[:, None] * K + start + inner[None, :])
        right = tl.load(b + column[None, :] * K + start + inner[:, None])
        x = tl.dot(left, right, x, input_precision="tf32x3")
    tl.store(out + row[:, None] * N + column[None, :], x)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=20)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("needs an NVIDIA GPU", file=sys.stderr)
        return 2
    import triton

    parts = ("import torch\nimport triton\nimport triton.language as tl", definitions("split"), definitions("product"))
    kernels = module_of("\n\n\n".join((*parts, TF32X3)))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Triton {triton.__version__}")
    print("| rows, columns, depth | eager ms | tf32x3 ms | split ms | error: eager | tf32x3 | split |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for m, n, k in SHAPES:
        torch.manual_seed(0)
        a, b = torch.randn(m, k, device="cuda"), (torch.rand(n, k, device="cuda") - 0.5) / 50
        exact = a.double() @ b.double().T
        ways = (lambda: a @ b.T, tf32x3(kernels, a, b), split(kernels, a, b))  # noqa: B023
        times = [milliseconds(way, options.calls) for way in ways]
        errors = [float((way().double() - exact).norm() / exact.norm()) for way in ways]
        cells = [f"{t:.3f}" for t in times] + [f"{e:.1e}" for e in errors]
        print(f"| {m}, {n}, {k} | {' | '.join(cells)} |", flush=True)
    return 0


def module_of(source: str) -> ModuleType:
    """With a file, since Triton reads the source of its kernels."""
    path = Path(tempfile.mkdtemp()) / "kernels.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(f"kernels_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def tf32x3(kernels: ModuleType, a: torch.Tensor, b: torch.Tensor) -> Callable[[], torch.Tensor]:
    """The fastest of a few tiles for both shapes: 128 by 64, 32 deep."""
    (m, k), n = a.shape, b.shape[0]
    out = a.new_empty(m, n)

    def way() -> torch.Tensor:
        grid = (-(-m // 128) * -(-n // 64),)
        kernels.tf32x3_kernel[grid](a, b, out, m, n, k, BM=128, BN=64, BK=32, num_warps=4, num_stages=3)
        return out

    return way


def split(kernels: ModuleType, a: torch.Tensor, b: torch.Tensor) -> Callable[[], torch.Tensor]:
    (m, k), n = a.shape, b.shape[0]
    out, (ah, al, au), (bh, bl, bu) = a.new_empty(m, n), kernels.split_rows(a), kernels.split_rows(b)

    def way() -> torch.Tensor:
        grid = (-(-m // LARGE.rows) * -(-n // LARGE.columns), 1)
        kernels.product_kernel[grid](
            ah, al, au, bh, bl, bu, out, m, n, k, m * k, k, 1, n * k, 1, k, m, n,
            BM=LARGE.rows, BN=LARGE.columns, BK=LARGE.depth, GROUP=8, EVEN=k % LARGE.depth == 0,
            num_warps=LARGE.warps, num_stages=LARGE.stages,
        )  # fmt: skip
        return out

    return way


def milliseconds(way: Callable[[], torch.Tensor], calls: int) -> float:
    way()
    times: list[float] = []
    for _ in range(calls):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        began.record()
        way()
        ended.record()
        torch.cuda.synchronize()
        times.append(began.elapsed_time(ended))
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
