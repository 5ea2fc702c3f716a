"""Every shipped example through ``kernelwright optimize``: the table of the README.

    python benchmarks/examples_table.py [--budget 120s] [--platform cpu] [--readme] [--only level2]

Each example is one run of the command line with its own budget. Results go to ``results/examples-PLATFORM.json`` after
every example; a second call goes on where the first was interrupted (``--again`` starts over). Prints the Markdown
table, then geometric means and medians of the speedup against eager, and against the better of eager and
``torch.compile`` in its two modes, without the degenerate examples. An example on which the baseline itself won counts
with that baseline's own speedup: never more. Where the fastest baseline by median was not faster than eager beyond
noise, eager stays, and counts as slower than it by that much.

With ``--readme`` the table replaces what stands between the markers ``<!-- results -->`` and ``<!-- /results -->``.
"""

import argparse
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
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
    """The same against the better of eager and ``torch.compile``, by their medians: below 1 where the other one stays.

    For an attempt the paired ratio where the best of all baselines is one of these, else taken from that to eager.
    """
    eager = baseline_ms(result, "eager")
    best = min(ms for name in OURS if (ms := baseline_ms(result, name)) is not None)
    if result["winner"] != "attempt":
        return best / (baseline_ms(result, result["winner"]) or best)
    speedup = result["speedup"]
    if speedup["best_baseline_name"] in OURS and speedup["best_baseline"]:
        return speedup["best_baseline"]["median"]
    return against_eager(result) * best / eager if eager else 1.0


def is_degenerate(result: dict[str, Any]) -> bool:
    """Whether the problem asks for nothing: the judge found its output constant, or an input without influence."""
    return any(label.partition(":")[0] in ("constant_output", "ignores_input") for label in result["problem_labels"])


def beaten(result: dict[str, Any]) -> bool:
    """Whether a baseline was measured to be faster than what the example ends with, beyond noise."""
    ratios = {b["name"]: b["vs_eager"] for b in result["baselines"] if b["vs_eager"]}
    if result["winner"] == "attempt":
        return result["speedup"]["best_baseline"]["high"] < 1.0
    if result["winner"] == "eager":
        return any(ratio["low"] > 1.0 for ratio in ratios.values())
    stays = ratios[result["winner"]]
    return stays["high"] < 1.0 or any(ratio["low"] > stays["high"] for ratio in ratios.values())


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


@dataclass(frozen=True)
class Summary:
    """Speedups over the examples that are not degenerate."""

    examples: int
    means: tuple[float, float]
    """Against eager, and against the better of eager and ``torch.compile``."""
    medians: tuple[float, float]

    @classmethod
    def of(cls, results: list[dict[str, Any]]) -> "Summary":
        real = [r for r in results if not is_degenerate(r)]
        eager, best = [against_eager(r) for r in real], [against_best(r) for r in real]
        return cls(len(real), (geometric_mean(eager), geometric_mean(best)), (median(eager), median(best)))

    def show(self, where: str) -> None:
        for kind, values in (("geometric mean", self.means), ("median", self.medians)):
            for value, other in zip(values, ("eager", "the better of eager and torch.compile"), strict=True):
                figure(f"examples, {kind} against {other}", value, "x", self.examples, where)

    def text(self) -> str:
        (mean_eager, mean_best), (median_eager, median_best) = self.means, self.medians
        return (
            f"Over the {self.examples} examples that are not degenerate (constant output, ignored inputs): geometric "
            f"mean {mean_eager:.2f} × against eager and {mean_best:.2f} × against the better of eager and "
            f"`torch.compile`; medians {median_eager:.2f} × and {median_best:.2f} ×. The mean is made by the examples "
            "from which algebra removes most of the work, and they were written to have some; the median says what to "
            "expect. Where eager stays beside a smaller best baseline, that one was not faster beyond noise; the means "
            "count it as faster."
        )


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
    summary = Summary.of(results)
    summary.show(where)
    slower = sum(map(beaten, results))
    kept_limit = figure("examples that a baseline beats beyond noise", slower, "examples", n, where, limit=0)
    if options.readme:
        note = (
            f"{summary.text()}\n\nMeasured on {where}, {options.budget} for each: "
            f"`python benchmarks/examples_table.py --budget {options.budget} --platform {platform.name}`; every number "
            f"lies in [{target.relative_to(ROOT)}]({target.relative_to(ROOT)})."
        )
        write_readme(f"{text}\n\n{note}")
    return 0 if kept_limit and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
