"""docs/demo.svg: what ``make demo`` leaves on a terminal, drawn from the stored runs.

    make demo && python benchmarks/demo_picture.py [--runs 3] [--out docs/demo.svg]

Takes the latest runs of the store (``$KERNELWRIGHT_HOME`` or ``~/.kernelwright``) and draws the last state of their
live tables and the result table, as the command line does.
"""

import argparse
from pathlib import Path

from rich.console import RenderableType

from kernelwright.report.export import export_svg
from kernelwright.report.run import live_table, result_table
from kernelwright.store import Store
from kernelwright.swarm.selection import choose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/demo.svg")
    options = parser.parse_args()

    store = Store.open()
    latest = sorted(store.runs(), key=lambda summary: summary.created)[-options.runs :]
    shown: list[RenderableType] = ["$ make demo"]
    results = []
    for summary in latest:
        run, attempts = store.run(summary.id), store.attempts(summary.id)
        if run.outcome is None:
            raise SystemExit(f"run {run.id} is not finished: kernelwright optimize --resume {run.id}")
        # chosen again, so that a picture of older runs shows today's rule
        outcome = choose(attempts, run.outcome.baselines, run.outcome.problem_labels)
        winner = next((a for a in attempts if a.number == outcome.attempt), None)
        elapsed = run.elapsed_seconds
        shown.append(live_table(run, attempts, outcome.baselines, elapsed=elapsed, doing="done", best=winner))
        results.append((run.model_copy(update={"outcome": outcome}), winner))
    shown.append(result_table(results))
    export_svg(shown, options.out, "make demo", width=120)
    print(options.out)


if __name__ == "__main__":
    main()
