"""Where honest and dishonest ways to compute an operator part: the experiment behind the precision ``strict``.

    python benchmarks/accuracy_threshold.py [--only WORD] [--seed N] [--again] [--markdown docs/accuracy.md]

Sixty operators in float32, float16 and bfloat16, in two or three sizes each, computed in honest ways (other orders of
summation, split-K, tf32x3, Winograd, FFT, online softmax, Welford, fused and unfused) and in dishonest ones (lower
precision, fast approximations, terms left out), emulated on a CPU. Each is held against the judge's own yardstick on
every draw, under the rule's constants times 1/8 to 8, and against the tolerances of KernelBench and Gimlet.
``accuracy/operators.py`` says what counts as dishonest, ``docs/accuracy.md`` what came out.

Every operator is saved to ``results/accuracy-threshold.json`` when it is done; a second call goes on where the first
was interrupted, ``--again`` starts over. ``--markdown FILE`` writes the tables between the markers of that page. Exit
code 1: a false acceptance or rejection without a known cause.
"""

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from accuracy.experiment import OPERATORS, SEED, Cell, run
from accuracy.operators import DTYPES
from accuracy.tables import summary, tables, unexplained, write_between_markers
from figure import machine

RESULTS = Path(__file__).parents[1] / "results/accuracy-threshold.json"
SHARED = ("operator", "family", "plan")
"""Fields that all cells of an operator have alike."""
FIELDS = [field.name for field in dataclasses.fields(Cell) if field.name not in SHARED]


def saved(path: Path) -> dict[str, list[Cell]]:
    """The operators that are done, by name; none where the file is of another torch or not there."""
    if not path.exists():
        return {}
    text = json.loads(path.read_text())
    if text["torch"] != torch.__version__ or text["fields"] != FIELDS:
        return {}
    return {name: [_read(name, part, row) for row in part["cells"]] for name, part in text["operators"].items()}


def _read(name: str, part: dict[str, Any], row: list[Any]) -> Cell:
    values = dict(zip(FIELDS, row, strict=True))
    tuples = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Cell(**(values | tuples), operator=name, family=part["family"], plan=tuple(part["plan"]))


def save(path: Path, done: dict[str, list[Cell]]) -> None:
    """One line for each cell, so that a change shows as one."""
    parts: list[str] = []
    for name, cells in done.items():
        rows = ",\n".join("  " + json.dumps([_short(getattr(cell, field)) for field in FIELDS]) for cell in cells)
        head = f'"family": {json.dumps(cells[0].family)}, "plan": {json.dumps(cells[0].plan)}'
        parts.append(f' {json.dumps(name)}: {{{head}, "cells": [\n{rows}\n ]}}')
    head = json.dumps({"machine": machine(), "torch": torch.__version__, "fields": FIELDS})
    scratch = path.with_suffix(".part")
    scratch.write_text(head[:-1] + ', "operators": {\n' + ",\n".join(parts) + "\n}}\n")
    scratch.replace(path)


def _short(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="operators with this word in their name; nothing is saved")
    parser.add_argument("--seed", type=int, default=SEED, help="other draws than the published ones; nothing is saved")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--markdown", type=Path, help="write the tables into this page")
    options = parser.parse_args()
    torch.set_num_threads(1)  # results must not depend on how work is split among threads
    published = not options.only and options.seed == SEED
    done = saved(options.results) if published and not options.again else {}
    chosen = [operator for operator in OPERATORS if options.only in operator.name]
    for number, operator in enumerate(chosen, 1):
        if operator.name in done:
            continue
        began = time.perf_counter()
        done[operator.name] = [
            cell for dtype in DTYPES for size in operator.sizes for cell in run(operator, dtype, size, options.seed)
        ]
        print(f"{number}/{len(chosen)} {operator.name}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
        if published:
            save(options.results, done)
    cells = [cell for operator in chosen for cell in done[operator.name]]
    print(summary(cells))
    if options.markdown:
        write_between_markers(options.markdown, tables(cells))
    left = unexplained(cells)
    for cell in left:
        what = "rejected" if cell.honest else "accepted"
        print(f"{what} without a known cause: {cell.operator}, {cell.variant}, {cell.dtype} {cell.size}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
