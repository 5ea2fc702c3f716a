"""What the judge adds to the time that reference and candidate need themselves.

    python benchmarks/judge_overhead.py [--runs 20] [--platform cpu] [--problem FILE]

Warm session, quick mode (no timing). One figure is the verdict's latency minus the time inside candidate and reference
(limit 150 ms on a CPU), the other how long the isolated process takes to start, as the judge sees it (limit 60 ms).
Both are medians over distinct candidates that the session has not seen: the problem's own reference under the name
``ModelNew``, each with another comment.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from figure import figure, machine
from kernelwright import platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.schema import Candidate

PROBLEM = Path(__file__).parents[1] / "examples/problems/level2/01_linear_scale_group_norm_silu.py"
WARM = 3
OUTSIDE = ("candidate", "reference", "baselines")
"""Stages that are the problem's and the candidate's own time."""


def same_module(source: str, number: int) -> Candidate:
    """The problem's reference as a candidate that no session has seen."""
    text = f"{source}\n\n\nclass ModelNew(Model):\n    pass  # {number}\n"
    return Candidate(source=text, author="benchmark", title="the reference itself")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--platform", default="cpu")
    parser.add_argument("--problem", type=Path, default=PROBLEM)
    options = parser.parse_args()
    platform = platforms.get(options.platform)
    problem = problems.from_file(options.problem)
    overhead: list[float] = []
    start: list[float] = []
    latency: list[float] = []
    with JudgeSession(problem, platform, JudgeSettings(timing=False)) as session:
        for number in range(WARM + options.runs):
            candidate = same_module(problem.source, number)
            began = time.perf_counter()
            verdict = session.judge(candidate)
            wall = time.perf_counter() - began
            if not verdict.ok:
                print(f"the reference itself is not correct: {verdict.status} {verdict.feedback}", file=sys.stderr)
                return 2
            if number >= WARM:
                latency.append(wall)
                overhead.append(wall - sum(verdict.seconds.get(stage, 0.0) for stage in OUTSIDE))
                start.append(verdict.seconds["start"])
    where = f"{problem.name}, isolation {verdict.isolation}, {machine(platform.facts())}"
    n = options.runs
    limits = (150.0, 60.0) if options.platform == "cpu" else (None, None)
    figure("verdict latency, median", 1e3 * statistics.median(latency), "ms", n, where)
    kept = figure("judge overhead, median", 1e3 * statistics.median(overhead), "ms", n, where, limit=limits[0])
    kept &= figure(
        "start of the isolated process, median", 1e3 * statistics.median(start), "ms", n, where, limit=limits[1]
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
