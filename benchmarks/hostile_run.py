"""A hundred hostile candidates in a row: what do they leave behind, and does the judge get slower?

    python benchmarks/hostile_run.py [--candidates 100] [--honest 15]

Judges an honest candidate a few times, then the hostile samples of tests/hostile that need neither a GPU nor timing,
those that end in milliseconds before those that hang, until there are enough of them, then the honest one again, all in
sessions that stay open as a swarm's do. Prints what is left: processes, files outside of the run's directory, changes
of the environment and threads; and the median time of an honest judgement before and after with its
ratio. Exit code 1 where anything is left, or where an honest judgement takes more than 1.25 times as long as before.
"""

import argparse
import contextlib
import itertools
import statistics
import sys
import threading
import time
from pathlib import Path

from figure import figure, machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "hostile"))

from hostile_court import MEMORY_LIMIT, Watch  # noqa: E402
from hostile_samples import Sample, honest, hostile  # noqa: E402

from kernelwright import platforms, problems  # noqa: E402
from kernelwright.judge import JudgeSession, JudgeSettings  # noqa: E402
from kernelwright.schema import Candidate, Target, Verdict  # noqa: E402

WITNESS = "written_out_relu"
ALLOWED = 1.25


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--honest", type=int, default=15, help="honest judgements before and after")
    options = parser.parse_args()
    witness = next(sample for sample in honest() if sample.name == WITNESS)
    chosen = list(itertools.islice(itertools.cycle(of_this_run()), options.candidates))
    with contextlib.ExitStack() as stack:
        sessions: dict[tuple[str, float | None], JudgeSession] = {}
        judge(witness, sessions, stack)  # opens the session that stays open
        watch = Watch()
        before = [timed(witness, sessions, stack) for _ in range(options.honest)]
        accepted = 0
        for number, sample in enumerate(chosen, start=1):
            verdict = judge(sample, sessions, stack)
            accepted += verdict.ok and not sample.may_be_correct
            print(f"{number:4} {sample.name:30} {verdict.status.value} ({verdict.rule})", flush=True)
        after = [timed(witness, sessions, stack) for _ in range(options.honest)]
    left = {
        "processes": watch.left_processes(),
        "files outside": watch.left_files(),
        "changes of this process": changes(watch),
        "threads of this process": {t.name for t in threading.enumerate() if t is not threading.main_thread()},
    }
    print(f"hostile candidates accepted: {accepted} of {len(chosen)}")
    for what, found in left.items():
        print(f"left behind, {what}: {len(found)} {sorted(map(str, found)) if found else ''}")
    where = machine()
    old, new = statistics.median(before), statistics.median(after)
    figure("an honest judgement before", 1e3 * old, "ms", len(before), where)
    figure("an honest judgement after", 1e3 * new, "ms", len(after), where)
    kept = figure("after / before", new / old, "x", len(after), where, limit=ALLOWED)
    return int(bool(accepted or any(left.values()) or not kept))


def of_this_run() -> list[Sample]:
    usable = [s for s in hostile() if s.platform in (None, "cpu") and not s.timing and not s.slow]
    return sorted(usable, key=lambda s: (s.limit or 0.0, s.problem, s.name))


def judge(
    sample: Sample, sessions: dict[tuple[str, float | None], JudgeSession], stack: contextlib.ExitStack
) -> Verdict:
    key = (sample.problem, sample.limit)
    if key not in sessions:
        settings = JudgeSettings(timing=False, time_limit=sample.limit or 60.0, memory_limit=MEMORY_LIMIT)
        problem = problems.from_file(sample.problem_path)
        sessions[key] = stack.enter_context(JudgeSession(problem, platforms.get("cpu"), settings))
    return sessions[key].judge(Candidate(source=sample.source, author="test", target=Target(sample.target)))


def timed(
    witness: Sample, sessions: dict[tuple[str, float | None], JudgeSession], stack: contextlib.ExitStack
) -> float:
    began = time.perf_counter()
    verdict = judge(witness, sessions, stack)
    if not verdict.ok:
        raise SystemExit(f"the honest candidate is {verdict.status.value}: {verdict.feedback}")
    return time.perf_counter() - began


def changes(watch: Watch) -> set[str]:
    """What of this process's state is no longer what it was."""
    now = Watch(children=set(), files=set()).state
    return {name for name, value in watch.state.items() if now[name] != value}


if __name__ == "__main__":
    sys.exit(main())
