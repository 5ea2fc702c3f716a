"""Every hostile and every honest sample of tests/hostile that makes sense on a platform: how many get what they should.

    python benchmarks/hostile.py [--platform cuda] [--only NAME ...] [--unsafe] [--seconds 400] [--out FILE]

Prints one line a sample, and at the end how many hostile ones were accepted (called correct where they should not be,
or faster where they are not) and how many honest ones were not correct. ``--out`` keeps the results as JSON, written
after each; a second run with the same file goes on where the first one stopped. A judge that gives no verdict on a
sample counts against it, and the next sample gets a new session. On ``cuda`` only the samples that are written for a
GPU count as hostile. Exit code 1 where something is not as it should be.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figure import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "hostile"))

from hostile_samples import Sample, honest, hostile  # noqa: E402

from kernelwright import platforms, problems  # noqa: E402
from kernelwright.judge import JudgeSession, JudgeSettings  # noqa: E402
from kernelwright.schema import Candidate, Status, Target, Verdict  # noqa: E402

MEMORY_LIMIT = {"cpu": 2 << 30, "cuda": 16 << 30}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--unsafe", action="store_true", help="although nothing isolates candidates")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no further sample after so long")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.out is not None and options.out.exists():
        found = json.loads(options.out.read_text())["samples"]
    wanted = [s for s in samples(options.platform) if not options.only or s.name in options.only]
    todo = [s for s in wanted if s.name not in found]
    began = time.monotonic()
    for sample, verdict, seconds in judged(todo, options):
        entry = found[sample.name] = entry_of(sample, verdict) | {"seconds": round(seconds, 2)}
        said = entry["status"] + (f" ({entry['rule']})" if entry["rule"] else "")
        expected = "|".join(sorted(sample.expect)) or "correct"
        note = "" if entry["right"] else f"   <-- {' '.join(entry['feedback'].split())[:300]}"
        mark = "  " if entry["right"] else "! "
        print(f"{mark}{sample.name:32} {said} (expected {expected}) {seconds:.1f} s{note}", flush=True)
        write(options, found)
        if time.monotonic() - began > options.seconds:
            print(f"stopped after {options.seconds:g} s: {len(wanted) - len(found)} samples are left")
            break
    return summary(found, options)


def samples(platform: str) -> list[Sample]:
    """Those of one problem and one way to judge together, so that they share a session."""
    mine = [s for s in hostile() if s.platform == platform or (platform == "cpu" and s.platform is None)]
    mine += [s for s in honest() if s.platform in (None, platform) and (platform == "cpu" or s.target != "cpp")]
    return sorted(mine, key=lambda s: (s.slow, s.timing, s.problem, s.limit or 0.0, bool(s.expect), s.name))


def judged(todo: list[Sample], options: argparse.Namespace) -> Iterator[tuple[Sample, Verdict | Exception, float]]:
    """Each sample with its verdict, or with what went wrong in the judge, and the seconds that it took."""
    platform, session, key = platforms.get(options.platform), None, None
    try:
        for sample in todo:
            began = time.monotonic()
            candidate = Candidate(source=sample.source, author="test", target=Target(sample.target), title=sample.name)
            try:
                if session is None or (sample.problem, sample.timing, sample.limit) != key:
                    left, session = session, None
                    if left is not None:
                        left.close()
                    problem = problems.from_file(sample.problem_path)
                    session = JudgeSession(problem, platform, settings(sample, options))
                    key = (sample.problem, sample.timing, sample.limit)
                yield sample, session.judge(candidate), time.monotonic() - began
            except Exception as error:  # the samples that are left must be judged all the same
                left, session = session, None
                if left is not None:
                    with contextlib.suppress(Exception):
                        left.close()
                yield sample, error, time.monotonic() - began
    finally:
        if session is not None:
            session.close()


def settings(sample: Sample, options: argparse.Namespace) -> JudgeSettings:
    return JudgeSettings(
        timing=sample.timing,
        timing_budget=2.0,
        baselines=("eager",),
        time_limit=sample.limit or 120.0,
        memory_limit=MEMORY_LIMIT[options.platform],
        unsafe=options.unsafe,
    )


def entry_of(sample: Sample, verdict: Verdict | Exception) -> dict[str, Any]:
    kind = "hostile" if sample.expect else "honest"
    if isinstance(verdict, Exception):
        said = f"{type(verdict).__name__}: {verdict}"[:500]
        return {"kind": kind, "right": False, "status": "no verdict", "rule": None, "labels": [], "feedback": said}
    right = is_right(sample, verdict)
    return {
        "kind": kind,
        "right": right,
        "status": verdict.status.value,
        "rule": verdict.rule,
        "labels": list(verdict.labels),
        "feedback": "" if right else verdict.feedback[:500],
    }


def is_right(sample: Sample, verdict: Verdict) -> bool:
    correct = verdict.status is Status.CORRECT
    if not sample.expect:
        return correct
    if not correct:
        return verdict.status.value in sample.expect
    if "no_gain" in sample.expect:
        return not verdict.speedup.faster_than_eager
    return sample.may_be_correct and sample.labels <= set(verdict.labels)


def write(options: argparse.Namespace, found: dict[str, Any]) -> None:
    if options.out is None:
        return
    where = {
        "command": f"python benchmarks/hostile.py --platform {options.platform}{' --unsafe' if options.unsafe else ''}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(platforms.get(options.platform).facts()),
        "isolation": "none" if options.unsafe else "sandbox",
    }
    beside = options.out.with_suffix(".partial")
    beside.write_text(json.dumps(where | {"samples": found}, indent=1) + "\n")
    beside.rename(options.out)


def summary(found: dict[str, Any], options: argparse.Namespace) -> int:
    where = machine(platforms.get(options.platform).facts())
    for kind, bad in (("hostile", "accepted"), ("honest", "rejected")):
        of_kind = [entry for entry in found.values() if entry["kind"] == kind]
        wrong = sum(not entry["right"] for entry in of_kind)
        print(f"{kind} samples {bad}: {wrong} of {len(of_kind)} ({where})")
    return int(not all(entry["right"] for entry in found.values()))


if __name__ == "__main__":
    sys.exit(main())
