"""Random modules, honest rewritings of them and mutations of one operator: what the judge says of each.

    python benchmarks/fuzz_judge.py [--modules 200] [--honest 2000] [--mutants 2000] [--seed 0]
                                    [--out results/fuzz-cpu.json] [--show]

Every module is opened once and judges its share of the candidates, without timing. At most 0.1 % of the honest ones may
be rejected, and at most 0.5 % of the mutants accepted. Each of those is printed, and kept in ``--out`` with its texts;
``--show`` prints the texts too. The file is written after every block of modules; a second run with the same file goes
on where the first one stopped. ``docs/fuzzing.md`` says how modules are built, and what came out.

Exit code 1: a figure is missed, or a rewriting was not equal in float64 (a mistake of the fuzzer).
"""

import argparse
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from figure import figure, machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from fuzz_cases import Batch, block, on_one_thread  # noqa: E402
from fuzz_measure import DIFFER, under_other_seeds  # noqa: E402
from fuzz_modules import sourced  # noqa: E402

from kernelwright import platforms  # noqa: E402
from kernelwright.judge import JudgeSession, JudgeSettings  # noqa: E402
from kernelwright.judge.reference.client import ReferenceFailed  # noqa: E402
from kernelwright.schema import Candidate, Problem, Verdict  # noqa: E402

KINDS = ("honest", "mutant")
HONEST_REJECTED, MUTANTS_ACCEPTED = 0.1, 0.5
"""Per cent."""
OTHER_SEEDS = range(1, 21)
BLOCKS_WITHOUT_CASES = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", type=int, default=200, help="over which the candidates are spread")
    parser.add_argument("--honest", type=int, default=2000)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--show", action="store_true", help="the texts of what went wrong")
    options = parser.parse_args()
    on_one_thread()
    wanted = {"honest": options.honest, "mutant": options.mutants}
    each = max(1, -(-max(wanted.values()) // options.modules))
    asked = {"seed": options.seed, "modules": options.modules, "wanted": wanted}
    done = saved(options.out, asked)
    known = {digest for part in done for digest in part["known"]}
    idle = 0
    while any(total(done, kind) < wanted[kind] for kind in KINDS) and idle < BLOCKS_WITHOUT_CASES:
        left = {kind: wanted[kind] - total(done, kind) for kind in KINDS}
        done.append(judged_block(len(done), options, each, left, known))
        idle = idle + 1 if not any(done[-1]["judged"].values()) else 0
        progress(done, wanted)
        save(options.out, asked, done)
    return summary(done)


def judged_block(
    number: int, options: argparse.Namespace, each: int, left: dict[str, int], known: set[str]
) -> dict[str, Any]:
    """The batches of one block. Stops where no more candidates of either kind are wanted."""
    before = set(known)
    began = time.monotonic()
    counts, rules, modules = Counter[str](), Counter[str](), 0
    wrong: list[dict[str, Any]] = []
    unequal: list[dict[str, Any]] = []
    for place, batch in enumerate(block(number, options.seed, each, known)):
        if all(counts[kind] >= left[kind] for kind in KINDS):
            break
        modules += 1
        name = f"{options.seed}.{number}.{place}"
        unequal += [{"module": name, **sourced(batch.module, forms)} for forms in batch.unequal]
        for kind, rule, failure in judged(batch, {kind: left[kind] - counts[kind] for kind in KINDS}):
            counts[kind] += 1
            rules[f"{kind}: {rule}"] += 1
            if failure:
                wrong.append({"module": name, **failure})
                print(f"! {name} {kind} {rule}: {failure['what']}  [{failure['feedback'][:300]}]", flush=True)
                if options.show:
                    print(f"{failure['problem']}\n{failure['candidate']}", flush=True)
    seconds = round(time.monotonic() - began, 1)
    judgements = {kind: counts[kind] for kind in KINDS}
    return {
        "modules": modules, "judged": judgements, "rules": dict(sorted(rules.items())), "wrong": wrong,
        "unequal": unequal, "seconds": seconds, "known": sorted(known - before),
    }  # fmt: skip


def judged(batch: Batch, left: dict[str, int]) -> list[tuple[str, str, dict[str, Any] | None]]:
    """For each candidate of a module: its kind, status and rule, and where the verdict is wrong all about it."""
    found: list[tuple[str, str, dict[str, Any] | None]] = []
    taken = Counter[str]()
    problem = Problem(name="fuzz", format="kernelbench", source=batch.module.problem)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False)) as session:
        for case in batch.cases:
            if taken[case.kind] >= left[case.kind]:
                continue
            taken[case.kind] += 1
            text = sourced(batch.module, case.forms)
            try:
                verdict = session.judge(Candidate(source=text["candidate"], author="fuzz", title=text["what"][:80]))
            except ReferenceFailed as error:
                found.append((case.kind, "no verdict", {"kind": case.kind, **text, "feedback": str(error)}))
                break
            said = verdict.status.value + (f" ({verdict.rule})" if verdict.rule else "")
            right = verdict.ok == (case.kind == "honest")
            found.append(
                (case.kind, said, None if right else failed(case.kind, text, case.difference.by_draw, verdict))
            )
    return found


def failed(kind: str, text: dict[str, Any], difference: dict[str, float], verdict: Verdict) -> dict[str, Any]:
    accuracy = verdict.accuracy
    elsewhere = under_other_seeds(text["problem"], text["candidate"], OTHER_SEEDS)
    return {
        "kind": kind,
        **text,
        "status": verdict.status.value,
        "rule": verdict.rule,
        "feedback": verdict.feedback[:1000],
        "difference": {draw: float(f"{value:.3g}") for draw, value in difference.items()},
        "shows under other seeds": sum(value > DIFFER for value in elsewhere) / len(elsewhere),
        "accuracy": accuracy.model_dump(mode="json", exclude={"passes"}) if accuracy else None,
    }


def total(done: list[dict[str, Any]], kind: str) -> int:
    return sum(part["judged"][kind] for part in done)


def wrong(done: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [failure for part in done for failure in part["wrong"] if failure["kind"] == kind]


def progress(done: list[dict[str, Any]], wanted: dict[str, int]) -> None:
    parts = (f"{total(done, k)}/{wanted[k]} {k}, {len(wrong(done, k))} wrong" for k in KINDS)
    print(f"{sum(part['modules'] for part in done)} modules: {'; '.join(parts)}", file=sys.stderr, flush=True)


def saved(path: Path | None, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that are done; none where the file is of another run or not there."""
    if path is None or not path.exists():
        return []
    text = json.loads(path.read_text())
    return text["blocks"] if text["asked"] == asked and text["machine"] == machine() else []


def save(path: Path | None, asked: dict[str, Any], done: list[dict[str, Any]]) -> None:
    if path is None:
        return
    where = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "asked": asked}
    figures = {"honest rejected": len(wrong(done, "honest")), "mutants accepted": len(wrong(done, "mutant"))}
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(where | figures | {"blocks": done}, indent=1) + "\n")
    scratch.replace(path)


def summary(done: list[dict[str, Any]]) -> int:
    rules = Counter[str]()
    for part in done:
        rules.update(part["rules"])
    for rule, count in sorted(rules.items()):
        print(f"{rule}: {count}")
    where = machine(platforms.get("cpu").facts())
    kept = True
    for kind, what, limit in (("honest", "rejected", HONEST_REJECTED), ("mutant", "accepted", MUTANTS_ACCEPTED)):
        n = total(done, kind)
        share = 100 * len(wrong(done, kind)) / n if n else 100.0
        kept &= figure(f"{kind} candidates {what}", share, "%", n, where, limit=limit)
    unequal = [case for part in done for case in part["unequal"]]
    for case in unequal:
        print(f"not equal in float64: {case['module']} {case['what']}")
    return 0 if kept and not unequal else 1


if __name__ == "__main__":
    sys.exit(main())
