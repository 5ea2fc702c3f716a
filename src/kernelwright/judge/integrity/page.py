"""``docs/integrity.md``: the catalogue and the last results. ``python -m kernelwright.judge.integrity.page`` writes it.

Run it in the repository's root. Whether the page that is there is the one that this makes is tested.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kernelwright.judge.integrity.attacks import ATTACKS, GAPS, Attack
from kernelwright.judge.integrity.defences import MEASURES, RULES, Defence, Layer

PAGE = Path("docs/integrity.md")
RESULTS = {"a CPU": Path("results/hostile-cpu.json"), "an NVIDIA GPU": Path("results/hostile-cuda.json")}
SAMPLES = "../tests/hostile/candidates"

_HEAD = f"""# What fools the judge, and what does not

<!-- Made by `python -m kernelwright.judge.integrity.page` of the catalogue in src/kernelwright/judge/integrity. -->

{len(ATTACKS)} attacks that were seen in the wild, or that we could think of, with what stops each of them and the
samples that prove it. A sample is a candidate under `tests/hostile`; the tests judge every one and hold the verdict's
rule against this page. How a judgement goes is in [judge.md](judge.md), what isolates a candidate in
[SECURITY.md](../SECURITY.md). An attack that is missing here is welcome: write the sample first.
"""
_COUNTED = """A sample counts as accepted when its verdict is `correct` and should not be, or calls it faster than it
is. Those that may be `correct`, because they lie about nothing that is measured, must carry their label or warning.
"""
_LAYERS = {
    Layer.ISOLATION: "the process, and what surrounds it",
    Layer.PROTOCOL: "what is given to a candidate, and what is taken from it",
    Layer.NUMERICS: "inputs, and what outputs are held against",
    Layer.TIMING: "clocks, and who may read which",
    Layer.SOURCE: "the text, before it runs: a help, never the defence",
}


def page(results: dict[str, dict[str, Any]]) -> str:
    """The whole page. ``results``: by platform, what ``benchmarks/hostile.py`` wrote."""
    parts = [_HEAD, _figures(results)]
    parts += ["## Attacks\n", _table(("attack", "what is tried", "stopped by", "samples"), map(_attack, ATTACKS))]
    parts += ["Words in the third column are rules that verdicts name, in *italics* what is so by construction.\n"]
    parts += ["## Knowingly not stopped\n", *(_gap(gap.title, gap.why, gap.samples) for gap in GAPS)]
    parts += ["## Rules and measures\n"]
    for layer, what in _LAYERS.items():
        known = [defence for defence in (*RULES.values(), *MEASURES.values()) if defence.layer is layer]
        parts += [f"### {layer.value.capitalize()}: {what}\n", _table(("name", "what holds"), map(_defence, known))]
    return "\n".join(parts)


def _figures(results: dict[str, dict[str, Any]]) -> str:
    head = ("on", "hostile accepted", "honest rejected", "command", "machine, date")
    return f"## Figures\n\n{_table(head, (_counts(*of) for of in results.items()))}\n{_COUNTED}"


def _counts(where: str, found: dict[str, Any]) -> tuple[str, ...]:
    counts: list[str] = []
    for kind in ("hostile", "honest"):
        of_kind = [sample for sample in found["samples"].values() if sample["kind"] == kind]
        counts.append(f"{sum(not sample['right'] for sample in of_kind)} of {len(of_kind)}")
    return where, *counts, f"`{found['command']}`", f"{found['machine']}, {found['date']}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _attack(attack: Attack) -> tuple[str, ...]:
    stopped = ", ".join(f"`{name}`" if name in RULES else f"*{name.replace('_', ' ')}*" for name in attack.stopped_by)
    return attack.title, attack.tries, f"{attack.layer.value}: {stopped}", _samples(attack.samples)


def _samples(names: tuple[str, ...]) -> str:
    return ", ".join(f"[{name}]({SAMPLES}/{name}.py)" for name in names)


def _gap(title: str, why: str, samples: tuple[str, ...]) -> str:
    shown = f" ({_samples(samples)})" if samples else ""
    return f"- **{title}.** {why[0].upper()}{why[1:]}{shown}.\n"


def _defence(defence: Defence) -> tuple[str, ...]:
    name = f"`{defence.name}`" if defence.name in RULES else f"*{defence.name.replace('_', ' ')}*"
    return name, defence.text


def results(root: Path) -> dict[str, dict[str, Any]]:
    """What was measured last, where it is there."""
    return {where: json.loads((root / path).read_text()) for where, path in RESULTS.items() if (root / path).exists()}


if __name__ == "__main__":
    PAGE.write_text(page(results(Path())))
