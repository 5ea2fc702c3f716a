"""ggml's Metal kernels without a Mac: whether the file compiles, and whether its kernels agree with torch.

    python benchmarks/metal_ggml.py --path CHECKOUT_OF_GGML [--out FILE.json]

Compiles src/ggml-metal/ggml-metal.metal as it is, with all that it instantiates, and runs the cases of ``corpora/ggml``
on the CPU runtime; how close an answer must be stands in ``corpora/answers.py``. Exits with 1 where anything does not
compile or agree. The first run compiles for minutes (clang takes nearly all of it); a later one finds what it compiled.
``--compile-only`` and ``--cases-only`` do half of it.
"""

import argparse
import sys
import time
from pathlib import Path

from corpora import ggml
from corpora.cases import run_cases
from corpora.compiling import compile_file
from corpora.ggml.arguments import HEADER, Arguments
from corpora.report import show_compiled, show_outcomes, store, summary

FOLDER = Path("src/ggml-metal")
DEFINES = {"GGML_METAL_HAS_BF16": "1"}
"""What ggml defines for a GPU that has bfloat."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True, help="a checkout of https://github.com/ggml-org/ggml")
    parser.add_argument("--out", type=Path, help="where to write the results as JSON")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--compile-only", action="store_true")
    half.add_argument("--cases-only", action="store_true")
    given = parser.parse_args()
    start = time.perf_counter()
    source = given.path.resolve() / FOLDER / ggml.FILE
    if not source.is_file():
        parser.error(f"{given.path} has no {FOLDER / ggml.FILE}: give --path a checkout of ggml")
    includes = [source.parent, source.parent.parent]

    files = [] if given.cases_only else [compile_file(source, includes, DEFINES)]
    for file in files:
        show_compiled(file)
    cases = [] if given.compile_only else list(ggml.cases(Arguments(source.parent / HEADER)))
    outcomes = run_cases(cases, {ggml.FILE: source}, includes, DEFINES)
    if outcomes:
        show_outcomes(ggml.FILE, outcomes)
    print(summary(files, 0, outcomes, time.perf_counter() - start))
    if given.out:
        store(given.out, files, outcomes)
    return 1 if any(file.errors for file in files) or not all(outcome.expected for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
