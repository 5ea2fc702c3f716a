"""The worked example of every target, judged: one line each; exit code 1 where one is not correct.

    python benchmarks/worked_examples.py [--platform cuda] [--unsafe] [--timing]

A target that this platform has nothing for is shown as left out: CUDA without an NVIDIA GPU, C++ on one. Metal runs on
the Metal runtime where there is no Apple GPU, Triton in its interpreter where there is no NVIDIA GPU.
"""

import argparse
import sys
import time
from pathlib import Path

import kernelwright
from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.problems import from_file
from kernelwright.schema import Candidate, Target, Verdict

PROMPTS = Path(kernelwright.__file__).parent / "authors" / "language_model" / "prompts"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", help="by default the best one here")
    parser.add_argument("--unsafe", action="store_true", help="although nothing isolates candidates")
    parser.add_argument("--timing", action="store_true", help="time them too")
    given = parser.parse_args()
    platform = platforms.get(given.platform)
    if (why_not := platform.why_not()) is not None:
        print(f"platform {platform.name} is not available here: {why_not}", file=sys.stderr)
        return 2
    failed = 0
    for target in Target:
        if target is Target.CUDA and platform.name != "cuda":
            print(f"{target:8} left out: no NVIDIA GPU")
            continue
        if target is Target.CPP and platform.name != "cpu":
            print(f"{target:8} left out: it is written for tensors of the CPU")
            continue
        began = time.monotonic()
        verdict = judged(target, platform, JudgeSettings(timing=given.timing, unsafe=given.unsafe))
        failed += not verdict.ok
        print(f"{target:8} {told(verdict)} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if failed else 0


def judged(target: Target, platform: platforms.Platform, settings: JudgeSettings) -> Verdict:
    folder = PROMPTS / target
    source = (folder / "example_candidate.py").read_text(encoding="utf-8")
    with JudgeSession(from_file(folder / "example_problem.py"), platform, settings) as session:
        return session.judge(Candidate(source=source, author="example", target=target))


def told(verdict: Verdict) -> str:
    said = " ".join(verdict.feedback.split())
    if verdict.ok:
        return f"on {verdict.platform} ({verdict.device}): {said}"
    return f"on {verdict.platform}: {verdict.status.value} {verdict.rule or ''}: {said[:2000]}"


if __name__ == "__main__":
    sys.exit(main())
