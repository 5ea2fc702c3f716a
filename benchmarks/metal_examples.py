"""The hand-written Metal candidates at full size: do they agree with their references, and how long do they take?

    python benchmarks/metal_examples.py [--device cuda] [--runs 30] [--only WORD] [--out FILE]

Each file of ``examples/metal`` runs as it would on a Mac, on the CPU or on an NVIDIA GPU (``--device cuda``) that
stands in for it, on the same weights and inputs as its reference in eager mode on that device (fp32, no TF32). Its
error against float64 must not be more than four times eager's. Times alternate between the two; on the GPU they are
CUDA events around one call, with what Python and the stand-in take before each launch, and beside them stands the time
in kernels alone, from torch.profiler. A time on a CPU or an NVIDIA GPU says nothing about a Mac. Prints a line for each
example; ``--out`` writes all as JSON. Exit code 0: all agree, 1: one does not, 2: the device is not here.
"""

import argparse
import copy
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from figure import machine
from kernelwright import problems
from kernelwright.judge.worker.harness import load_weights
from kernelwright.metal.stand_in import StandIn
from kernelwright.problems.structure import flatten, map_leaves

EXAMPLES = Path(__file__).parents[1] / "examples"
WORSE_THAN_EAGER = 4
LEAST = 8 * torch.finfo(torch.float32).eps
"""Relative errors up to this pass, however exact eager is."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", default="", help="examples with this word in their path")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no NVIDIA GPU here: torch.cuda.is_available() is false", file=sys.stderr)
        return 2
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    where = machine() if options.device == "cpu" else f"{torch.cuda.get_device_name()}, {machine()}"
    results: list[dict[str, Any]] = []
    for path in sorted((EXAMPLES / "metal").glob("level*/*.py")):
        name = f"{path.parent.name}/{path.stem}"
        if options.only in name:
            results.append(one(name, path, options.device, options.runs))
            print(line(results[-1], where), flush=True)
    if options.out:
        options.out.write_text(json.dumps({"machine": where, "examples": results}, indent=1))
    print(f"{sum(r['right'] for r in results)} of {len(results)} agree ({where})")
    return 0 if all(result["right"] for result in results) else 1


def one(name: str, path: Path, device: str, runs: int) -> dict[str, Any]:
    """One example: errors of candidate and eager against float64, and the median times of both, milliseconds."""
    problem = problems.load(problems.from_file(EXAMPLES / "problems" / f"{name}.py"))
    reference, inputs = problem.build(1), problem.draw(2)
    exact = _answer(copy.deepcopy(reference).double(), map_leaves(_double, inputs))
    weights = copy.deepcopy(reference.state_dict())
    eager, given = reference.to(device), map_leaves(lambda leaf: _moved(leaf, device), inputs)
    mac = StandIn("cuda" if device == "cuda" else "cpu")
    with mac, torch.no_grad():
        candidate = _module(path).ModelNew(*problem.init_args()).eval()
        load_weights(candidate, weights)
        candidate = candidate.to("mps")
        on_mps = map_leaves(lambda leaf: _moved(leaf, "mps"), inputs)

    def ours() -> Any:
        with mac, torch.no_grad():
            return candidate(*on_mps)

    def theirs() -> Any:
        with torch.no_grad():
            return eager(*given)

    error, eager_error = (_error(answer(), exact) for answer in (ours, theirs))
    times = [(milliseconds(ours, device), milliseconds(theirs, device)) for _ in range(runs)]
    return {
        "name": name,
        "right": error <= max(WORSE_THAN_EAGER * eager_error, LEAST),
        "error": error,
        "eager_error": eager_error,
        "ms": statistics.median(mine for mine, _ in times),
        "eager_ms": statistics.median(other for _, other in times),
        "eager_over_ours": statistics.median(other / mine for mine, other in times),
    } | (
        {"kernels_ms": kernel_milliseconds(ours), "eager_kernels_ms": kernel_milliseconds(theirs)}
        if device == "cuda"
        else {}
    )


def line(result: dict[str, Any], where: str) -> str:
    said = "agrees" if result["right"] else "DIFFERS"
    errors = f"error {result['error']:.2e}, eager {result['eager_error']:.2e}"
    times = f"{result['ms']:.4g} ms, eager {result['eager_ms']:.4g} ms, {result['eager_over_ours']:.3g} × eager"
    if "kernels_ms" in result:
        times += f"; in kernels {result['kernels_ms']:.4g} ms, eager {result['eager_kernels_ms']:.4g} ms"
    return f"{result['name']}: {said} ({errors}); {times} ({where})"


def milliseconds(call: Callable[[], object], device: str) -> float:
    if device == "cpu":
        began = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - began)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def kernel_milliseconds(call: Callable[[], object], calls: int = 10) -> float:
    """What the GPU's kernels and copies of one call take, added up."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in seen.key_averages()) / 1e3 / calls


def _answer(module: torch.nn.Module, inputs: Any) -> Any:
    with torch.no_grad():
        return module(*inputs)


def _error(answer: Any, exact: Any) -> float:
    """The largest over all outputs of ‖x − exact‖ / ‖exact‖; of integer outputs 0 or 1."""
    worst = 0.0
    for mine, right in zip(flatten(answer)[0], flatten(exact)[0], strict=True):
        host, truth = mine.detach().cpu().double(), right.double()
        difference = (host - truth).norm() / truth.norm().clamp_min(1e-30)
        worst = max(worst, float(difference if right.is_floating_point() else not torch.equal(host, truth)))
    return worst


def _moved(leaf: Any, device: str) -> Any:
    return leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf


def _double(leaf: Any) -> Any:
    return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"metal_example_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
