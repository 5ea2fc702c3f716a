"""TorchInductor's Metal back end on this machine: graphs that it lowers, our compiler takes, and that agree with eager.

    python benchmarks/metal_inductor.py [--only TEXT] [--check]

Each graph is written as the author ``inductor-metal`` writes it, compiled by ``kernelwright.metal``, run on the CPU and
held against eager by the judge's own rule at precision ``strict``: no further from float64 than a small multiple of
eager's distance. Prints a line for each graph and a summary; what is not as it should be is an exception, and ends with
its reason. ``--check`` runs the kernels under all checks of memory. Exits with 1 where a graph failed whose failure
``EXPLAINED`` does not name.
"""

import argparse
import copy
import logging
import sys
import traceback
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from inductor_graphs import CASES, Case
from kernelwright import metal
from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.capture import capture
from kernelwright.authors.inductor_metal.trace import trace
from kernelwright.authors.inductor_metal.write import print_traced
from kernelwright.judge.accuracy import Yardstick, one_rounding_unit
from kernelwright.schema import Precision

_NO_OPERATION = "TorchInductor's Metal back end lacks an operation of it"
_NO_GUARD = "indexing in a decomposition asks torch for a guard of device mps, which its builds for Linux do not have"
_INACTIVE = (
    "probably ours: c10/metal sums 64-bit integers by shuffles from lanes that a threadgroup of fewer than 32 threads "
    "does not have; that is undefined, in practice 0 on Apple's GPUs, and our runtime answers the thread's own value"
)

EXPLAINED: dict[str, str] = {
    "sinh, cosh, atanh": _NO_OPERATION,
    "asinh, acosh": _NO_OPERATION,
    "pow, atan2, hypot": _NO_OPERATION,
    "copysign, sign, abs, lerp": _NO_OPERATION,
    "integer sums": _INACTIVE,
    "bucketize by comparison": _INACTIVE,
    "cross entropy": _INACTIVE,
    "roll, flip": _NO_GUARD,
    "grid sample": _NO_GUARD,
    "cosine similarity": _NO_GUARD,
    "hinge embedding": _NO_GUARD,
    "upsample bilinear": "TorchInductor leaves it to ATen as a whole: there is no kernel",
}
"""Name of a graph → why it is known to fail."""


class Reference(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.function(*tensors)


@dataclass(frozen=True)
class Outcome:
    """How far one graph came."""

    compiled: bool
    agrees: bool
    note: str


def outcome(case: Case, check: bool) -> Outcome:
    """Writes, compiles, runs and compares one graph."""
    module = Reference(case.function)
    try:
        captured = capture(module, case.inputs)
        written = print_traced(captured, trace(captured))
    except AuthorError as error:
        return Outcome(False, False, str(error))
    compile_shader = torch.mps.compile_shader
    torch.mps.compile_shader = lambda source: metal.compile_shader(source, check=check)
    try:
        space: dict[str, Any] = {}
        exec(compile(written.source, case.name, "exec"), space)
    except (SyntaxError, RuntimeError) as error:
        return Outcome(False, False, _one_line(error))
    finally:
        torch.mps.compile_shader = compile_shader
    try:
        answer = space["ModelNew"]().eval()(*copy.deepcopy(case.inputs))
    except Exception as error:  # a candidate may fail in any way
        where = traceback.extract_tb(error.__traceback__)[-1].name
        return Outcome(True, False, f"{_one_line(error)} (in {where})")
    failure = _yardstick(module, case.inputs).compare(answer).failure(Precision.STRICT)
    return Outcome(True, failure is None, written.summary if failure is None else str(failure))


def _yardstick(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Yardstick:
    wide = [x.double() if x.is_floating_point() else x for x in inputs]
    moved = [one_rounding_unit(x, seed) for seed, x in enumerate(inputs)]
    with torch.no_grad():
        return Yardstick(module(*copy.deepcopy(inputs)), module(*wide), module(*moved))


def _one_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return f"{type(error).__name__}: {lines[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="graphs whose name holds this text")
    parser.add_argument("--check", action="store_true", help="watch every access to memory")
    options = parser.parse_args()
    logging.getLogger("torch._inductor").setLevel(logging.ERROR)
    cases = [case for case in CASES if options.only in case.name]
    compiled = agreeing = 0
    exceptions: list[str] = []
    for case in cases:
        found = outcome(case, options.check)
        compiled += found.compiled
        agreeing += found.agrees
        print(f"{'ok' if found.agrees else 'FAILED':6} {case.name:34} {found.note}", flush=True)
        if not found.agrees:
            exceptions.append(case.name)
    explained = [f"{name}: {EXPLAINED.get(name, 'not explained')}" for name in exceptions]
    print(f"{len(cases)} graphs: compile {compiled}, agree {agreeing}, exceptions: {len(exceptions)}")
    for line in explained:
        print(f"  {line}")
    return 0 if all(name in EXPLAINED for name in exceptions) else 1


if __name__ == "__main__":
    sys.exit(main())
