"""The tables of docs/rewriter.md: ``python -m kernelwright.authors.rewriter.page docs/rewriter.md`` renews them."""

import sys
from pathlib import Path

from kernelwright.authors.rewriter.parts import PARTS
from kernelwright.authors.rewriter.rule import Pattern, Rule
from kernelwright.authors.rewriter.rules import (
    activations,
    attention,
    bounds,
    convolution,
    einsum,
    elementwise,
    linear,
    normalisation,
    pooling,
    reductions,
    structure,
    views,
)
from kernelwright.authors.rewriter.stacking import STACKINGS

HEAD = "| rule | found at | why both sides are equal | where it applies |\n|---|---|---|---|"
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"
SUBJECTS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("Elementwise chains", elementwise.RULES),
    ("Clamps and bounds", bounds.RULES),
    ("Activations", activations.RULES),
    ("Reductions", reductions.RULES),
    ("Linear layers and matrix products", linear.RULES),
    ("Einstein sums", einsum.RULES),
    ("Attention", attention.RULES),
    ("Diagonal and triangular matrices", structure.RULES),
    ("Convolutions", convolution.RULES),
    ("Pooling", pooling.RULES),
    ("Normalisation", normalisation.RULES),
    ("Views", views.RULES),
)


def shown(pattern: Pattern | str) -> str:
    """A pattern as a call: ``sum(linear(x, w))``."""
    if isinstance(pattern, str):
        return pattern
    return f"{pattern.op}({', '.join(map(shown, pattern.args))})"


def tables() -> str:
    """All rules as Markdown, by subject."""
    parts: list[str] = []
    for subject, rules in SUBJECTS:
        parts.append(f"### {subject}\n\n{HEAD}")
        for rule in rules:
            first, *more = map(shown, rule.patterns)
            found = f"`{first}`" + (f" and {len(more)} more" if more else "")
            parts[-1] += f"\n| `{rule.name}` | {found} | {_cell(rule.proof)} | {_cell(rule.condition)} |"
    for subject, passes in (("Parts", (PARTS,)), ("Several products at once", STACKINGS)):
        parts.append(f"### {subject}\n\n{HEAD}")
        for how in passes:
            parts[-1] += f"\n| `{how.name}` | `{how.found_at}` | {_cell(how.proof)} | {_cell(how.condition)} |"
    return "\n\n".join(parts)


def renewed(text: str) -> str:
    """The page with the tables between its markers. Raises ``ValueError`` where a marker is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
