"""TorchInductor's Metal back end on this machine: graphs that it lowers, our compiler takes, and that agree with eager.

    python benchmarks/metal_inductor.py [--only TEXT] [--check]

Each graph is written as the author ``inductor-metal`` writes it, compiled by ``kernelwright.metal``, run on the CPU and
held against eager by the judge's own rule at precision ``strict``: no further from float64 than a small multiple of
eager's distance. Prints a line for each graph and a summary; what is not as it should be is an exception, and ends with
its reason. ``--check`` runs the kernels under all checks first; a report of a broken rule is a failure, suspicions are
counted: PyTorch's own headers write the same value by many threads, and sum 64-bit integers through lanes without a
thread. Exits with 1 where a graph failed in another way than ``EXPLAINED`` says.
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


@dataclass(frozen=True)
class Cause:
    """Why a graph is known to fail: ``says`` stands in the failure's text."""

    says: str
    reason: str


_NO_OPERATION = Cause("Metal back end has no", "TorchInductor's Metal back end lacks an operation of it")
_NO_GUARD = Cause(
    "not linked with support for mps",
    "indexing in a decomposition asks torch for a guard of device mps, which its builds for Linux do not have",
)

EXPLAINED: dict[str, Cause] = {
    "sinh, cosh, atanh": _NO_OPERATION,
    "asinh, acosh": _NO_OPERATION,
    "pow, atan2, hypot": _NO_OPERATION,
    "copysign, sign, abs, lerp": _NO_OPERATION,
    "roll, flip": _NO_GUARD,
    "grid sample": _NO_GUARD,
    "cosine similarity": _NO_GUARD,
    "hinge embedding": _NO_GUARD,
    "upsample bilinear": Cause("there is no kernel", "TorchInductor leaves it to ATen as a whole"),
}
"""By the name of a graph."""


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
    try:
        candidate = module_of(written.source, case.name, check=False)
    except (SyntaxError, RuntimeError) as error:
        return Outcome(False, False, _one_line(error))
    note = written.summary
    if check:
        try:
            module_of(written.source, case.name, check=True)(*copy.deepcopy(case.inputs))
        except metal.MetalCheckError as error:
            broken = [report for report in error.reports if not report.suspicion]
            if broken:
                return Outcome(True, False, str(broken[0]))
            note += f"; suspicions: {', '.join(sorted({report.kind.value for report in error.reports}))}"
    try:
        answer = candidate(*copy.deepcopy(case.inputs))
    except Exception as error:  # a candidate may fail in any way
        where = traceback.extract_tb(error.__traceback__)[-1].name
        return Outcome(True, False, f"{_one_line(error)} (in {where})")
    failure = _yardstick(module, case.inputs).compare(answer).failure(Precision.STRICT)
    return Outcome(True, failure is None, note if failure is None else str(failure))


def module_of(source: str, name: str, *, check: bool) -> nn.Module:
    """The candidate, whose kernels run on the CPU. Raises what its compilation raises."""
    compile_shader = torch.mps.compile_shader
    torch.mps.compile_shader = lambda text: metal.compile_shader(text, check=check)
    try:
        space: dict[str, Any] = {}
        exec(compile(source, name, "exec"), space)
        return space["ModelNew"]().eval()
    finally:
        torch.mps.compile_shader = compile_shader


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
    exceptions: dict[str, str] = {}
    for case in cases:
        found = outcome(case, options.check)
        compiled += found.compiled
        agreeing += found.agrees
        print(f"{'ok' if found.agrees else 'FAILED':6} {case.name:34} {found.note}", flush=True)
        if not found.agrees:
            exceptions[case.name] = found.note
    print(f"{len(cases)} graphs: compile {compiled}, agree {agreeing}, exceptions: {len(exceptions)}")
    explained = {name: reason(name, note) for name, note in exceptions.items()}
    for name, why in explained.items():
        print(f"  {name}: {why or 'not explained'}")
    return 0 if all(explained.values()) else 1


def reason(name: str, note: str) -> str | None:
    """Why the graph fails, if it fails as it is known to."""
    cause = EXPLAINED.get(name)
    return cause.reason if cause and cause.says in note else None


if __name__ == "__main__":
    sys.exit(main())
