"""How long the command line and the package take to start, measured on real processes.

    python benchmarks/startup.py [--runs 15]

Prints the median wall time of ``kernelwright --help`` (limit 0.3 s) and of ``python -c "import kernelwright"`` (limit
0.2 s; the figure is the whole process, interpreter included). Exits with 1 when a limit is missed or when importing the
package brought torch with it.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from figure import figure, machine

PROGRAM = Path(sys.executable).with_name("kernelwright")


def seconds(command: Sequence[str], runs: int) -> float:
    """Median wall time of a process, after one run that fills the file cache."""
    taken: list[float] = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs: int = parser.parse_args().runs
    where = machine()
    kept = figure("kernelwright --help", seconds([str(PROGRAM), "--help"], runs), "s", runs, where, limit=0.3)
    importing = [sys.executable, "-c", "import kernelwright"]
    kept &= figure("import kernelwright", seconds(importing, runs), "s", runs, where, limit=0.2)
    bare = [sys.executable, "-c", "pass"]
    figure("python alone", seconds(bare, runs), "s", runs, where)
    check = [sys.executable, "-c", "import kernelwright, sys; sys.exit('torch' in sys.modules)"]
    kept &= figure("torch imported", subprocess.run(check, check=False).returncode, "times", 1, where, limit=0)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
