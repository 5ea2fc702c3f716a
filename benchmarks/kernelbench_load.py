"""Whether every problem file of a local KernelBench checkout loads, and its reference runs under the judge.

    python benchmarks/kernelbench_load.py --path KernelBench [--platform cuda] [--scale] [--jobs 1] [--again]

``--path`` is a checkout of https://github.com/ScalingIntelligence/KernelBench, or a folder of problem files. Every file
is read, its contract checked, and its reference run by the judge's own reference process, in its own precision and, as
far as memory goes, in float64. The process serves one problem after the other (``--jobs`` processes share the device)
and is replaced when it dies or takes longer than ``--limit`` seconds for one of them.

With ``--scale`` the sizes of problems whose inputs exceed ``--inputs`` GiB (default: a sixteenth of the device's
memory) are reduced, as ``smaller.py`` says, and every change is listed in the results: such a problem counts as
"reduced", never as run at its own size. Without it problems run as they are, or fail with the reason.

Results go to ``results/kernelbench-PLATFORM.json`` after every problem; a second call goes on where the first was
interrupted, and ``--again`` repeats what had failed. Prints one line per failure, then the counts. Two problems
of level 3 import ``einops``, which has to be installed beside KernelBench.
"""

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from figure import figure, machine
from smaller import fit

RESULTS = Path(__file__).parents[1] / "results"


def problem_files(path: Path, levels: list[str]) -> list[Path]:
    """The problem files below a checkout, level by level, each level by its numbers; of a plain folder, all files."""
    roots = [path / "KernelBench", path]
    root = next((r for r in roots if r.is_dir() and any(r.rglob("*.py"))), None)
    if root is None:
        raise SystemExit(f"no problem files below {path}")
    folders = [root / level for level in levels if (root / level).is_dir()] or [root]
    found = [f for folder in folders for f in folder.rglob("*.py")]
    files = [f for f in found if "def get_inputs" in f.read_text(errors="replace")]

    def place(file: Path) -> tuple[str, int, str]:
        number = file.name.partition("_")[0]
        return str(file.parent), int(number) if number.isdigit() else 0, file.name

    return sorted(files, key=place)


def input_bytes(source: str) -> int:
    """Bytes of one draw of the problem's inputs, counted on the meta device, so that nothing is allocated."""
    import torch

    from kernelwright import problems
    from kernelwright.schema import Problem

    def count(value: Any) -> int:
        if isinstance(value, torch.Tensor):
            return value.numel() * value.element_size()
        if isinstance(value, dict):
            return sum(count(v) for v in value.values())
        return sum(count(v) for v in value) if isinstance(value, list | tuple) else 0

    loaded = problems.load(Problem(name="sizes", format="kernelbench", source=source))
    return count(loaded.draw(0, "meta"))


def run_one(survey: Any, file: Path, allowed: int | None) -> dict[str, Any]:
    """Load one file and run its reference. The record of what happened; nothing is raised for what the file does."""
    from kernelwright import problems

    record: dict[str, Any] = {"loaded": False, "ran": False, "reduced": {}, "reason": "", "yardstick": "", "seconds": 0}
    try:
        problem = problems.from_file(file)
        if allowed is not None:
            text, record["reduced"] = fit(problem.source, allowed, input_bytes)
            problem = problem.model_copy(update={"source": text})
    except Exception as error:  # the point of this script is to name whatever goes wrong
        return record | {"reason": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    check = survey.check(problem)
    return record | {
        "loaded": True,
        "ran": check.ok,
        "seconds": round(check.seconds, 3),
        "reason": check.reason,
        "yardstick": check.yardstick,
    }


def save(target: Path, results: dict[str, Any]) -> None:
    """Write the results so that an interrupted run leaves the old file or the new one, never half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(results, indent=1, sort_keys=True))
    partial.replace(target)


def parse_arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--platform", help="cpu, cuda or mps; the best one unless told")
    parser.add_argument("--scale", action="store_true", help="reduce the sizes of problems that do not fit")
    parser.add_argument("--inputs", type=float, help="GiB of inputs above which sizes are reduced")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds for one problem")
    parser.add_argument("--jobs", type=int, default=1, help="problems in flight; they share the device's memory")
    parser.add_argument("--again", action="store_true", help="repeat the problems that had failed")
    parser.add_argument("--levels", nargs="+", default=["level1", "level2", "level3"])
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--results", type=Path, help="the JSON file to write and to go on from")
    return parser, parser.parse_args()


def main() -> int:
    parser, options = parse_arguments()

    from kernelwright import platforms
    from kernelwright.judge import ReferenceSurvey

    platform = platforms.get(options.platform) if options.platform else platforms.best()
    facts = platform.facts()
    gib = options.inputs if options.inputs is not None else facts.memory_bytes / 2**30 / 16
    allowed = int(gib * 2**30) if options.scale else None
    target = options.results or RESULTS / f"kernelbench-{platform.name}.json"
    settings = {"machine": machine(facts), "scaled": options.scale, "inputs_gib": gib if options.scale else None}
    kept = json.loads(target.read_text()) if target.exists() else {"settings": settings, "problems": {}}
    if kept["settings"] != settings:
        parser.error(f"{target} was measured with other settings: remove it or name another file with --results")

    files = [f for f in problem_files(options.path, options.levels) if options.only in str(f)]
    began = time.monotonic()
    todo = SimpleQueue[Path]()
    for file in files:
        record = kept["problems"].get(str(file.relative_to(options.path)))
        if record is None or (options.again and not record["ran"]):
            todo.put(file)
    writing = threading.Lock()

    def work() -> None:
        with ReferenceSurvey(platform, options.limit) as survey:
            while True:
                try:
                    file = todo.get_nowait()
                except Empty:
                    return
                record = run_one(survey, file, allowed)
                with writing:
                    kept["problems"][str(file.relative_to(options.path))] = record
                    save(target, kept)
                    if not record["ran"]:
                        print(f"failed {file.relative_to(options.path)}: {record['reason']}", flush=True)
                    print(f"{len(kept['problems'])} {time.monotonic() - began:.0f} s", end="\r", file=sys.stderr)

    with ThreadPoolExecutor(options.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(options.jobs)]:
            worker.result()

    records = [kept["problems"][str(f.relative_to(options.path))] for f in files]
    ran = [r for r in records if r["ran"]]
    where = machine(facts)
    figure("problem files loaded", sum(r["loaded"] for r in records), "files", len(files), where)
    figure("references run at their own size", sum(not r["reduced"] for r in ran), "files", len(files), where)
    figure("references run at reduced sizes", sum(bool(r["reduced"]) for r in ran), "files", len(files), where)
    figure(
        "references with a float64 yardstick",
        sum(r["yardstick"].startswith("float64") for r in ran),
        "files",
        len(files),
        where,
    )
    figure("references that did not run", len(records) - len(ran), "files", len(files), where)
    return 0 if len(ran) == len(files) else 1


if __name__ == "__main__":
    sys.exit(main())
