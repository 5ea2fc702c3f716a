"""How often the judge calls a module faster or slower than itself.

    python benchmarks/honesty.py [--comparisons 200] [--budget 2] [--platform cpu] [PROBLEM …]

Each comparison is one real judgement with timing: the problem's own reference under the name ``ModelNew`` against the
baseline ``eager``. At most 1 % of them may be *called* faster or slower (``Speedup.eager_call``); of the 95 % intervals
themselves about 5 % leave 1 out, if they are honest. None may be refused: it is the reference itself. Comparisons are
spread over several problems: an elementwise one, a reduction, a matrix product, a convolution.
"""

import argparse
import sys
from pathlib import Path

from figure import figure, machine
from kernelwright import platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.schema import Candidate, Verdict

EXAMPLES = Path(__file__).parents[1] / "examples/problems"
DEFAULT = (
    "level1/01_softmax_wide_rows.py",
    "level1/03_matmul_odd_sizes.py",
    "level1/08_scale_at_the_memory_limit.py",
    "level2/02_conv_bias_batch_norm_relu.py",
)


def compare(session: JudgeSession, source: str, number: int) -> Verdict:
    """One comparison of the module with itself."""
    text = f"{source}\n\n\nclass ModelNew(Model):\n    pass  # {number}\n"
    return session.judge(Candidate(source=text, author="benchmark", title="the reference itself"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of timing for each comparison")
    parser.add_argument("--platform", default="cpu")
    parser.add_argument("problems", nargs="*", type=Path, default=[EXAMPLES / name for name in DEFAULT])
    options = parser.parse_args()
    platform = platforms.get(options.platform)
    settings = JudgeSettings(timing=True, timing_budget=options.budget, baselines=("eager",))
    faster = slower = outside = refused = done = 0
    for place, path in enumerate(options.problems):
        share = options.comparisons // len(options.problems) + (place < options.comparisons % len(options.problems))
        problem = problems.from_file(path)
        with JudgeSession(problem, platform, settings) as session:
            for number in range(share):
                verdict = compare(session, problem.source, number)
                ratio = verdict.speedup.eager
                done += 1
                if not verdict.ok or ratio is None:
                    refused += 1
                    print(f"{problem.name} {number}: {verdict.status}: {verdict.feedback}", file=sys.stderr)
                    continue
                call = verdict.speedup.eager_call
                faster += call == "faster"
                slower += call == "slower"
                outside += not ratio.low <= 1.0 <= ratio.high
                if call != "same":
                    text = f"{problem.name} {number}: {ratio.median:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"
                    print(f"called different from itself: {text}", file=sys.stderr)
    where = machine(platform.facts())
    timed = done - refused
    if not timed:
        return 1
    figure("95 % intervals that leave 1 out, share", 100 * outside / timed, "%", timed, where)
    figure("called faster than itself", faster, "comparisons", done, where)
    figure("called slower than itself", slower, "comparisons", done, where)
    kept = figure("not called correct", refused, "comparisons", done, where, limit=0.0)
    kept &= figure("called faster or slower, share", 100 * (faster + slower) / timed, "%", timed, where, limit=1.0)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
