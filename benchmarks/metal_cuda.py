"""Metal kernels on an NVIDIA GPU: do they compute the right thing there, and how long do they take beside PyTorch?

    python benchmarks/metal_cuda.py [--runs 50] [--only WORD] [--out FILE]

First every kernel of ``tests/metal/clean`` on the GPU and on the CPU, whose results must agree. Then large cases: their
largest error against float64 must not be more than four times that of PyTorch eager (fp32, no TF32), and both are timed
by CUDA events; a figure is the median over the runs. One line for each figure. ``--out`` writes them as JSON. Exit code
0: all is right, 1: a result is wrong, 2: there is no NVIDIA GPU here.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from figure import machine
from kernelwright.metal import NvidiaMissing, ToolchainMissing, compile_shader
from kernelwright.metal.nvidia.kernel import gpu
from metal_cuda_cases import CASES, Case

CORPUS = Path(__file__).parents[1] / "tests" / "metal"
WARM = 5
WORSE_THAN_EAGER = 4
LEAST = 8
"""Errors up to so many units of float32 in the largest value pass, however exact eager is."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--only", default="", help="cases with this word in their name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        gpu("cuda").backend()
    except (NvidiaMissing, ToolchainMissing, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    where = f"{torch.cuda.get_device_name()}, {machine()}"
    figures = [same_as_on_the_cpu(where)] if not options.only else []
    for case in CASES:
        if options.only in case.name:
            figures.append(measured(case, options.runs, where))
            torch.cuda.empty_cache()
    if options.out:
        options.out.write_text(json.dumps({"machine": where, "figures": figures}, indent=1))
    return 0 if all(figure["right"] for figure in figures) else 1


def same_as_on_the_cpu(where: str) -> dict[str, Any]:
    """Every kernel of the corpus on both devices."""
    sys.path.insert(0, str(CORPUS))
    from sanitizer_corpus import cases

    wrong: list[str] = []
    found = cases("clean")
    for case in found:
        expected, tensors = case.tensors(), [tensor.cuda() for tensor in case.tensors()]
        case.run(compile_shader(case.source, file=case.path.name), expected)
        case.run(compile_shader(case.source, file=case.path.name, device="cuda"), tensors)
        try:
            for buffer, (mine, theirs) in enumerate(zip(tensors, expected, strict=True)):
                torch.testing.assert_close(mine.cpu(), theirs, rtol=1e-4, atol=1e-4, msg=f"{case.path.name} {buffer}")
        except AssertionError as error:
            wrong.append(str(error))
    said = f"; differ (file, buffer): {', '.join(wrong)}" if wrong else ""
    print(f"kernels of tests/metal/clean as on the CPU: {len(found) - len(wrong)} of {len(found)} ({where}){said}")
    return {"name": "clean corpus", "kernels": len(found), "wrong": wrong, "right": not wrong}


def measured(case: Case, runs: int, where: str) -> dict[str, Any]:
    """One large case: its errors and times."""
    torch.manual_seed(0)
    setup = case.prepare("cuda", case.size)
    kernel = getattr(compile_shader(case.source, device="cuda"), case.kernel)

    def run() -> None:
        kernel(*setup.arguments, threads=setup.threads, group_size=setup.group_size, arg_casts=dict(setup.casts))

    run()
    exact = setup.exact()
    error, eager_error = (largest_error(result, exact) for result in (setup.out, setup.eager()))
    unit = float(exact.abs().max()) * torch.finfo(torch.float32).eps
    right = error <= max(WORSE_THAN_EAGER * eager_error, LEAST * unit if exact.is_floating_point() else 0)
    del exact
    ours, eager = median_ms(run, runs), median_ms(setup.eager, runs)
    print(
        f"{case.name}: {ours:.4g} ms, torch eager {eager:.4g} ms (n={runs}; largest error {error:.3g}, eager's "
        f"{eager_error:.3g}: {'right' if right else 'WRONG'}; {where})",
        flush=True,
    )
    return {
        "name": case.name, "ms": ours, "eager_ms": eager, "runs": runs,
        "error": error, "eager_error": eager_error, "right": right,
    }  # fmt: skip


def largest_error(result: torch.Tensor, exact: torch.Tensor) -> float:
    """NaN, which is never right, where the result has one."""
    return float((result.to(exact.dtype) - exact).abs().max())


def median_ms(call: Callable[[], object], runs: int) -> float:
    """Of the time between two events on the GPU, the launch included where the GPU waits for it."""
    for _ in range(WARM):
        call()
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(runs)]
    for start, end in events:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events)


if __name__ == "__main__":
    sys.exit(main())
