"""Every shipped example through ``kernelwright optimize``: the table of the README.

    python benchmarks/examples_table.py [--budget 120s] [--platform cpu] [--readme] [--only level2]

Each example is one run of the command line with its own budget. Results go to ``results/examples-PLATFORM.json`` after
every example; a second call goes on where the first was interrupted (``--again`` starts over). Prints the Markdown
table, then the geometric means of the speedup against eager, and against the better of eager and ``torch.compile`` in
its two modes. An example on which the baseline itself won counts with that baseline's own speedup: never more.

With ``--readme`` the table replaces what stands between the markers ``<!-- results -->`` and ``<!-- /results -->``.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from figure import figure, machine

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples/problems"
PROGRAM = Path(sys.executable).with_name("kernelwright")
BEGIN, END = "<!-- results -->", "<!-- /results -->"
BASELINES = {
    "eager": "eager",
    "compile": "torch.compile",
    "compile-max-autotune": "torch.compile max-autotune",
    "onnxruntime": "ONNX Runtime",
}
OURS = ("eager", "compile", "compile-max-autotune")
"""The baselines of the second geometric mean."""


def optimize(problem: Path, budget: str, platform: str, out: Path) -> dict[str, Any]:
    """One run of the command line; its result object. Raises ``RuntimeError`` with the last line it printed."""
    command = [str(PROGRAM), "optimize", str(problem), "--budget", budget, "--platform", platform]
    done = subprocess.run(
        [*command, "--out", str(out), "--json", "--quiet"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
        raise RuntimeError(f"{problem.name}: {last}")
    result = json.loads(done.stdout)["results"][0]
    return {**result, "path": str(problem.relative_to(ROOT)), "file": None}


def baseline_ms(result: dict[str, Any], name: str) -> float | None:
    """A baseline's median in milliseconds; ``None`` where it failed."""
    return next((b["ms"]["median"] for b in result["baselines"] if b["name"] == name and b["ms"]), None)


def against_eager(result: dict[str, Any]) -> float:
    """How much faster than eager the problem runs in the end: by the winner, or by the baseline that stays."""
    if result["winner"] == "attempt" and result["speedup"]["eager"]:
        return result["speedup"]["eager"]["median"]
    eager, stays = baseline_ms(result, "eager"), baseline_ms(result, result["winner"])
    return eager / stays if eager and stays else 1.0


def against_best(result: dict[str, Any]) -> float:
    """The same against the better of eager and ``torch.compile``; 1 where one of these stays.

    Taken from the paired ratio where the best of all baselines is one of these, else from the ratio to eager.
    """
    if result["winner"] in OURS:
        return 1.0
    speedup = result["speedup"]
    if result["winner"] == "attempt" and speedup["best_baseline_name"] in OURS and speedup["best_baseline"]:
        return speedup["best_baseline"]["median"]
    eager = baseline_ms(result, "eager")
    best = min(ms for name in OURS if (ms := baseline_ms(result, name)) is not None)
    return against_eager(result) * best / eager if eager else 1.0


def interval(value: dict[str, float] | None) -> str:
    return f"{value['median']:.2f} [{value['low']:.2f}, {value['high']:.2f}]" if value else ""


def winner(result: dict[str, Any]) -> str:
    if result["winner"] != "attempt":
        return f"{BASELINES.get(result['winner'], result['winner'])} stays"
    title = next((a["title"] for a in result["attempts"] if a["id"] == result["attempt"]), "")
    return f"{result['author']}: {title}" if title else str(result["author"])


def table(results: list[dict[str, Any]]) -> str:
    """The Markdown table, one line for each example."""
    lines = [
        "| example | eager, ms | best baseline, ms | winner | × eager [95 %] | × best baseline [95 %] |",
        "|---|---:|---:|---|---|---|",
    ]
    for result in results:
        path = Path(result["path"])
        eager = baseline_ms(result, "eager")
        timed = [(ms, name) for name in BASELINES if (ms := baseline_ms(result, name)) is not None]
        best_ms, best = min(timed)
        lines.append(
            f"| [{path.parent.name}/{path.stem}]({path.as_posix()}) | {eager:.3g} | {best_ms:.3g} ({BASELINES[best]}) "
            f"| {winner(result)} | {interval(result['speedup']['eager'])} "
            f"| {interval(result['speedup']['best_baseline'])} |"
        )
    return "\n".join(lines)


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def write_readme(text: str) -> None:
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="120s", help="time for each example")
    parser.add_argument("--platform", help="cpu, cuda or mps; the best one unless told")
    parser.add_argument("--only", default="", help="only examples whose path contains this")
    parser.add_argument("--again", action="store_true", help="start over")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()

    from kernelwright import platforms

    platform = platforms.get(options.platform) if options.platform else platforms.best()
    import torch

    assert torch.__version__  # imported so that the machine's line names it
    settings = {"machine": machine(platform.facts()), "budget": options.budget}
    target = ROOT / f"results/examples-{platform.name}.json"
    kept: dict[str, Any] = {"settings": settings, "results": {}}
    if target.exists() and not options.again:
        kept = json.loads(target.read_text())
        if kept["settings"] != settings:
            parser.error(f"{target} was measured with {kept['settings']}: say --again to start over")

    paths = [p for p in sorted(EXAMPLES.rglob("*.py")) if options.only in str(p)]
    failed = 0
    for number, path in enumerate(paths, 1):
        key = str(path.relative_to(EXAMPLES))
        if key not in kept["results"]:
            print(f"{number}/{len(paths)} {key}", file=sys.stderr, flush=True)
            try:
                kept["results"][key] = optimize(path, options.budget, platform.name, ROOT / "kernelwright-out/examples")
            except RuntimeError as error:
                failed += 1
                print(f"failed {error}", file=sys.stderr, flush=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".part")
            partial.write_text(json.dumps(kept, indent=1) + "\n")
            partial.replace(target)

    results = [kept["results"][k] for k in sorted(kept["results"]) if options.only in str(EXAMPLES / k)]
    if not results:
        return 1
    text = table(results)
    print(text, "", sep="\n")
    where, n = settings["machine"], len(results)
    eager = geometric_mean([against_eager(r) for r in results])
    best = geometric_mean([against_best(r) for r in results])
    figure("examples, geometric mean against eager", eager, "x", n, where)
    figure("examples, geometric mean against the better of eager and torch.compile", best, "x", n, where)
    slower = sum(against_best(r) < 1.0 for r in results)
    kept_limit = figure("examples that end slower than the better of the two", slower, "examples", n, where, limit=0)
    if options.readme:
        note = (
            f"Geometric mean over {n} examples: {eager:.2f} × against eager, {best:.2f} × against the better of eager "
            f"and `torch.compile`. Measured on {where}, {options.budget} for each: "
            f"`python benchmarks/examples_table.py --budget {options.budget} --platform {platform.name}`."
        )
        write_readme(f"{text}\n\n{note}")
    return 0 if kept_limit and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
