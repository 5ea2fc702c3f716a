"""Profiles of example problems on an NVIDIA GPU: torch.profiler, ncu where it may count, pictures, a recommendation.

    python benchmarks/profile_cuda.py [--only WORD] [--out DIR] [--no-sandbox] [--analyst NAME]

Each example's own reference is the candidate, so what is shown is eager PyTorch. Prints one profile after the other;
``--out`` writes the pictures and each profile as JSON. ``--no-sandbox`` runs them without isolation: ``ncu`` reads no
counters inside the sandbox where the driver keeps them for administrators. Exit code 0: every example has kernels with
times, 1: one has none, 2: there is no NVIDIA GPU here.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from kernelwright import platforms
from kernelwright.deploy import Profiled, profile
from kernelwright.judge import session
from kernelwright.judge.isolation import NoSandbox
from kernelwright.report import profile_view

EXAMPLES = Path(__file__).parents[1] / "examples" / "problems"
FEW = ("01_softmax_wide_rows", "03_matmul_odd_sizes", "08_clamp_chain", "01_attention_block")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="examples with this word in their name; by default four of them")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-sandbox", action="store_true")
    parser.add_argument("--analyst", default="rules")
    options = parser.parse_args()
    reason = platforms.get("cuda").why_not()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    if options.no_sandbox:
        session.choose = NoSandbox
    missing = [path.stem for path in chosen(options.only) if not shown(path, options.analyst, options.out)]
    if missing:
        print(f"without kernels: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


def chosen(word: str) -> list[Path]:
    paths = sorted(EXAMPLES.glob("*/*.py"))
    return [path for path in paths if (word in path.stem if word else path.stem in FEW)]


def shown(path: Path, analyst: str, out: Path | None) -> bool:
    """Print one profile; whether its kernels have times."""
    source = path.read_text().replace("class Model(", "class ModelNew(")
    done = profile(path, source, analyst=analyst, platform="cuda", unsafe=True)
    files = write(done, out / path.stem) if out else ()
    Console(width=120).print(profile_view(done.verdict, done.profile, done.advice, files, path.stem))
    return done.profile is not None and any(op.device_ms for op in done.profile.operations)


def write(done: Profiled, folder: Path) -> tuple[str, ...]:
    """The pictures, and the profile without them."""
    if done.profile is None:
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [folder / f"{picture.name}.png" for picture in done.profile.pictures]
    for path, picture in zip(pictures, done.profile.pictures, strict=True):
        path.write_bytes(picture.png)
    text = done.profile.model_copy(update={"pictures": ()}).model_dump_json(indent=1)
    (folder / "profile.json").write_text(text)
    return tuple(map(str, (*pictures, folder / "profile.json")))


if __name__ == "__main__":
    sys.exit(main())
