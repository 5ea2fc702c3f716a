"""Who holds a device while problems are worked on side by side, for what, and how long others wait meanwhile?

    python benchmarks/gate_trace.py --out FOLDER -- suite run kernelbench --path KernelBench --platform cuda
    python benchmarks/gate_trace.py --read FOLDER

Runs any command of kernelwright and writes every stay at the gate before a device (docs/suites.md) of every one of its
processes to the folder; afterwards, and with ``--read``, prints for each gate how long the device was held alone,
shared and free, and for each caller how often and how long it held the device and for how many of those seconds
somebody waited. The exit code is the command's. The product is not changed for this: ``gate_tracing`` is imported by
each of its Python processes as they start. Candidates in a sandbox cannot write to the folder and are missing.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gate_trace_tables import read, tables

HOOK = Path(__file__).with_name("gate_tracing")


def run(folder: Path, command: Sequence[str]) -> int:
    """The exit code, as a shell gives it."""
    hook = folder.resolve() / "hook"
    shutil.copytree(HOOK, hook, ignore=shutil.ignore_patterns("__pycache__"))
    places = filter(None, (str(hook), os.environ.get("PYTHONPATH")))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    process = subprocess.Popen([sys.executable, "-m", "kernelwright", *command], env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the command too, which ends in order
    code = process.wait()
    return code if code >= 0 else 128 - code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="FOLDER", help="a new or empty folder for the trace")
    what.add_argument("--read", type=Path, metavar="FOLDER", help="print the tables of an earlier trace")
    parser.add_argument("command", nargs="*", help="after --: what kernelwright is to do")
    options = parser.parse_args()
    if bool(options.out) != bool(options.command):
        parser.error("--out wants a command after --, --read wants none")
    code, folder = 0, options.read
    if options.out:
        folder = options.out
        if folder.exists() and any(folder.iterdir()):
            parser.error(f"{folder} is not empty")
        code = run(folder, options.command)
    print(tables(read(folder)) or f"nobody passed a gate, says {folder}")
    return code


if __name__ == "__main__":
    sys.exit(main())
