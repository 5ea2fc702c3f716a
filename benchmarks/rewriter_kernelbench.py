"""What the rewriter finds in a local KernelBench checkout: rules that fired, estimated share of the work, seconds.

    python benchmarks/rewriter_kernelbench.py --path KernelBench [--level level2] [--only 65] [--platform cuda]

``--path`` is a checkout of https://github.com/ScalingIntelligence/KernelBench, or a folder of problem files. Every
problem is captured at its own size from fake tensors (nothing is drawn or allocated, where its code allows that), and
rewritten under all rules with the machine model of ``--platform``: measured limits of this device where the platform is
here, the round figures of ``cost.py`` elsewhere. No candidate is built or run, and the shares are estimates of that
model: how fast a rewriting is, only the judge can say.

One line per problem: estimated cost over the reference's, seconds for the capture and for the rewriting, terms of the
e-graph and whether it was saturated, the rules. With ``--best`` a Markdown table of the smallest shares follows.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from figure import figure, machine
from kernelbench_load import problem_files

if TYPE_CHECKING:
    from kernelwright.authors.rewriter.cost import Machine


@dataclass(frozen=True)
class Line:
    """What became of one problem. ``share`` is ``None`` where it could not be captured; ``rules`` then says why."""

    level: str
    problem: str
    share: float | None
    captured: float
    rewritten: float
    size: str
    rules: str

    def show(self) -> str:
        share = "   -  " if self.share is None else f"{self.share:6.1%}"
        seconds = f"{self.captured:5.1f} + {self.rewritten:4.1f} s"
        return f"{self.level}/{self.problem[:48]:48} {share} {seconds} {self.size:>16}  {self.rules}"


def look_at(path: Path, balance: "Machine") -> Line:
    """One problem, captured and rewritten."""
    from kernelwright import problems
    from kernelwright.authors import AuthorError
    from kernelwright.authors.graph.capture import capture_problem
    from kernelwright.authors.rewriter.process import rewrite_in_child
    from kernelwright.authors.rewriter.rules import ALL
    from kernelwright.authors.rewriter.saturate import Bounds
    from kernelwright.schema import ProblemError

    began = captured = time.perf_counter()
    try:
        graph = capture_problem(problems.from_file(path)).graph
        captured = time.perf_counter()
        found = rewrite_in_child(graph, [rule.name for rule in ALL], balance, Bounds())
    except (AuthorError, ProblemError) as error:
        ended = time.perf_counter()
        return Line(path.parent.name, path.stem, None, ended - began, 0.0, "", str(error)[:120])
    ended = time.perf_counter()
    if found is None:
        return Line(path.parent.name, path.stem, None, captured - began, ended - captured, "", "out of time")
    size = f"{found.terms} terms{'' if found.saturated else ' …'}"
    share = found.cost / max(found.cost_before, 1)
    rules = ", ".join(found.applied)
    return Line(path.parent.name, path.stem, share, captured - began, ended - captured, size, rules)


def table(lines: list[Line], count: int) -> str:
    """The smallest shares as Markdown."""
    found = sorted((line for line in lines if line.share is not None), key=lambda line: line.share or 0.0)
    rows = [f"| {line.level}/{line.problem} | {line.share:.1%} | {line.rules} |" for line in found[:count]]
    return "\n".join(["| problem | estimated share | rules |", "|---|---:|---|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--level", action="append", help="level1, level2, level3 (all three by default)")
    parser.add_argument("--only", action="append", help="numbers of the problems to look at (all by default)")
    parser.add_argument("--platform", default="cuda", choices=("cpu", "cuda", "mps"))
    parser.add_argument("--best", type=int, default=0, help="rows of the table at the end")
    options = parser.parse_args()
    from kernelwright.authors.rewriter.calibrated import machine_for

    balance = machine_for(options.platform)
    print(f"{options.platform}: {balance}")
    lines: list[Line] = []
    for path in problem_files(options.path, options.level or ["level1", "level2", "level3"]):
        if options.only is None or path.name.partition("_")[0] in options.only:
            lines.append(look_at(path, balance))
            print(lines[-1].show(), flush=True)
    if options.best:
        print(table(lines, options.best))
    where = machine()
    known = [line for line in lines if line.share is not None]
    figure("problems captured", len(known), "", len(lines), where)
    figure("problems with a share below 0.98", sum((line.share or 0) < 0.98 for line in known), "", len(known), where)
    figure("all captures", sum(line.captured for line in lines), "s", len(lines), where)
    figure("all rewritings", sum(line.rewritten for line in lines), "s", len(lines), where)
    return 0 if known else 1


if __name__ == "__main__":
    sys.exit(main())
