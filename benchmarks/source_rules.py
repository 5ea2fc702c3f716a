"""How often the rules on source text remark on honest code, and on hostile code.

    python benchmarks/source_rules.py [--corpus DIR]

Honest code is: the honest samples of tests/hostile, the worked examples of every target, the Metal kernels of
examples/, and code that knows nothing of Kernelwright: the modules of the installed torch (``torch/nn/modules``), and
with ``--corpus`` every Python file below a directory, such as a clone of KernelBench. A file counts as remarked on when
any rule warns about it (labels do not count). The rules are a help to the reader, so a remark costs nothing but his
time; what they miss is caught by the judge or stands in docs/integrity.md.
"""

import argparse
import ast
import sys
from collections import Counter
from pathlib import Path

import torch

from figure import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "hostile"))

from hostile_samples import honest, hostile  # noqa: E402

from kernelwright.judge.findings import Stopped  # noqa: E402
from kernelwright.judge.source import BUILT_IN  # noqa: E402
from kernelwright.schema import Candidate, Target  # noqa: E402

PROMPTS = ROOT / "src" / "kernelwright" / "authors" / "language_model" / "prompts"
Text = tuple[str, str, Target]
"""Name, source, target."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="a directory with more honest Python files")
    options = parser.parse_args()
    bodies: dict[str, list[Text]] = {
        "honest samples": [(s.name, s.source, Target(s.target)) for s in honest()],
        "worked examples": [
            (path.parent.name, path.read_text(), Target(path.parent.name))
            for path in sorted(PROMPTS.glob("*/example_candidate.py"))
        ],
        "Metal examples": [
            (path.name, path.read_text(), Target.METAL) for path in sorted((ROOT / "examples/metal").rglob("*.py"))
        ],
        "torch/nn/modules": files(Path(torch.__file__).parent / "nn" / "modules"),
    }
    if options.corpus is not None:
        bodies[str(options.corpus.name)] = files(options.corpus)
    remarked = sum(report(name, texts) for name, texts in bodies.items())
    read = sum(map(len, bodies.values()))
    print(f"honest files remarked on: {remarked} of {read}, {remarked / read:.1%} ({machine()})")
    caught = report("hostile samples", [(s.name, s.source, Target(s.target)) for s in hostile()], names=False)
    print(f"hostile samples remarked on or rejected by their text: {caught} of {len(hostile())}")
    return 0


def files(folder: Path) -> list[Text]:
    return [(path.name, path.read_text(errors="replace"), Target.TORCH) for path in sorted(folder.rglob("*.py"))]


def report(name: str, texts: list[Text], *, names: bool = True) -> int:
    """How many of these files are remarked on; prints by which rules."""
    by_rule: Counter[str] = Counter()
    files_of: dict[str, list[str]] = {}
    remarked = 0
    for file, source, target in texts:
        found = rules_that_remark(Candidate(source=source, author="somebody", target=target))
        by_rule.update(found)
        for rule in found:
            files_of.setdefault(rule, []).append(file)
        remarked += bool(found)
    print(f"{name}: {remarked} of {len(texts)} remarked on")
    for rule, count in by_rule.most_common():
        shown = f": {', '.join(files_of[rule][:6])}" if names else ""
        print(f"    {rule} {count}{shown}")
    return remarked


def rules_that_remark(candidate: Candidate) -> set[str]:
    try:
        tree = ast.parse(candidate.source)
    except SyntaxError:
        return set()
    found: set[str] = set()
    for rule in BUILT_IN:
        try:
            if any(remark.warning for remark in rule(tree, candidate)):
                found.add(rule.name)
        except Stopped:
            found.add(rule.name)
    return found


if __name__ == "__main__":
    sys.exit(main())
