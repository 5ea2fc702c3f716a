"""MLX's Metal kernels without a Mac: which files compile, and whether their kernels agree with torch and NumPy.

    python benchmarks/metal_mlx.py --path CHECKOUT_OF_MLX [--files softmax,scan] [--jobs 2] [--out FILE.json]

Compiles every ``.metal`` file below mlx/backend/metal/kernels as it is, with all that it instantiates, and runs the
cases of ``corpora/mlx`` on the CPU runtime; how close an answer must be stands in ``corpora/answers.py``. Files that
include Apple's MetalPerformancePrimitives, which exist on a Mac only, are named and left out. Exits with 1 where
anything else does not compile or agree. The first run compiles for minutes (clang takes nearly all of it); a later one
finds what it compiled. ``--compile-only`` and ``--cases-only`` do half of it.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from corpora import mlx
from corpora.cases import Outcome, run_cases
from corpora.compiling import Compiled, compile_files, missing
from corpora.report import show_compiled, show_outcomes, store, summary

KERNELS = Path("mlx/backend/metal/kernels")
ONLY_ON_A_MAC = "MetalPerformancePrimitives"


def compiled(sources: Sequence[Path], root: Path, jobs: int) -> tuple[list[Compiled], list[Compiled]]:
    """The files, and those of them that only a Mac can compile."""
    found: list[Compiled] = []
    left_out: list[Compiled] = []
    for file in compile_files(sources, [root], jobs):
        found.append(file)
        if missing(file, ONLY_ON_A_MAC):
            left_out.append(file)
        show_compiled(file, f"includes {ONLY_ON_A_MAC}" if missing(file, ONLY_ON_A_MAC) else "")
    return found, left_out


def agreeing(sources: Sequence[Path], root: Path) -> list[Outcome]:
    """Runs the cases of these files."""
    by_name = {path.name: path for path in sources}
    cases = [case for case in mlx.cases() if case.file in by_name]
    found: list[Outcome] = []
    for file in dict.fromkeys(case.file for case in cases):
        outcomes = run_cases([case for case in cases if case.file == file], by_name, [root])
        show_outcomes(file, outcomes)
        found += outcomes
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True, help="a checkout of https://github.com/ml-explore/mlx")
    parser.add_argument("--files", default="", help="names of files without .metal, separated by commas; all")
    parser.add_argument("--jobs", type=int, default=1, help="compilers at a time")
    parser.add_argument("--out", type=Path, help="where to write the results as JSON")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--compile-only", action="store_true")
    half.add_argument("--cases-only", action="store_true")
    given = parser.parse_args()
    start = time.perf_counter()
    root: Path = given.path.resolve()
    wanted = [name for name in given.files.split(",") if name]
    sources = sorted((root / KERNELS).rglob("*.metal"))
    if not sources:
        parser.error(f"{root} has no {KERNELS}/*.metal: give --path a checkout of MLX")
    unknown = set(wanted) - {path.stem for path in sources}
    if unknown:
        parser.error(f"MLX has no {', '.join(sorted(unknown))}.metal")
    sources = [path for path in sources if not wanted or path.stem in wanted]

    files, left_out = ([], []) if given.cases_only else compiled(sources, root, given.jobs)
    outcomes = [] if given.compile_only else agreeing(sources, root)
    print(summary(files, len(left_out), outcomes, time.perf_counter() - start))
    if given.out:
        store(given.out, files, outcomes)
    broken = [file for file in files if file.errors and file not in left_out]
    return 1 if broken or not all(outcome.expected for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
