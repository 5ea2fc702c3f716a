"""The ``rewriter`` Author, and ``rewriter+inductor``, which compiles what the rewriter wrote."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.authors.author import AuthorError, Task
from kernelwright.authors.modes import compile_modes
from kernelwright.schema import Attempt, Candidate, Target

log = logging.getLogger(__name__)

WORTH_IT = 0.98
"""A rewriting is proposed if its estimated cost is below this share of the reference's."""

REORDERS_SUMS = frozenset(
    {
        "sum-into-linear",
        "sum-of-products",
        "linear-of-linear",
        "sum-into-matmul",
        "matmul-associate",
        "matmul-associate-back",
        "linear-of-matmul",
        "matmul-of-linear",
        "sum-channels-of-conv",
        "sum-positions-of-conv",
    }
)
"""Rules that take sums in another order than the reference. The second variant does without them."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One variant, written out."""

    source: str
    rules: tuple[str, ...]
    share: float
    """Estimated cost over the reference's."""
    explanation: str


class RewriterAuthor:
    """Writes the module again with less work, by algebra: plain PyTorch, no kernels.

    Proposes the cheapest form under all rules; then, where that is another, the cheapest without those that change the
    order of sums. Proposes nothing where no rule lowers the estimated cost (logged at INFO).
    """

    name = "rewriter"
    trusted = True
    targets = frozenset({Target.TORCH})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next variant. Raises ``AuthorError`` where the module cannot be captured as a graph."""
        if task.target not in (None, Target.TORCH) or _refused(history):
            return None
        variants = write_variants(task, len(history) + 1)
        if len(variants) <= len(history):
            return None
        chosen = variants[len(history)]
        return Candidate(
            source=chosen.source,
            author=self.name,
            title=f"rewritten: {_short(chosen.rules)}",
            explanation=chosen.explanation,
        )


class CompiledRewriterAuthor:
    """The rewriter's first variant, its forward compiled by TorchInductor, in one mode after the other."""

    name = "rewriter+inductor"
    trusted = True
    targets = frozenset({Target.TORCH})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next mode. ``None`` where the rewriter has nothing to say: ``inductor`` then covers the rest."""
        modes = [mode for mode in compile_modes(task.platform) if mode.name in ("default", "max-autotune")]
        if task.target not in (None, Target.TORCH) or _refused(history) or len(history) >= len(modes):
            return None
        mode = modes[len(history)]
        variants = write_variants(task, 1, decorator=f"@{mode.call}", around="cloned" if mode.graphs else "")
        if not variants:
            return None
        return Candidate(
            source=variants[0].source,
            author=self.name,
            title=f"rewritten: {_short(variants[0].rules)}; compiled ({mode.name})",
            explanation=f"{variants[0].explanation}\n\nThen compiled: {mode.explanation}",
        )


def write_variants(task: Task, count: int, decorator: str = "", around: str = "") -> list[Rewriting]:
    """Up to ``count`` different rewritings that are worth it, the boldest first. Raises ``AuthorError``."""
    from kernelwright.authors.graph.capture import capture_problem
    from kernelwright.authors.graph.printer import print_module
    from kernelwright.authors.rewriter.calibrated import machine_for
    from kernelwright.authors.rewriter.process import rewrite_in_child
    from kernelwright.authors.rewriter.rules import ALL
    from kernelwright.authors.rewriter.saturate import Bounds

    captured = capture_problem(task.problem)
    if any(node.attr.get("impure") for node in captured.graph.nodes):
        raise AuthorError("the module draws random numbers")
    every = [rule.name for rule in ALL]
    rule_sets = [every, [name for name in every if name not in REORDERS_SUMS]]
    written: list[Rewriting] = []
    machine = machine_for(task.platform)
    for names in rule_sets[:count]:
        found = rewrite_in_child(captured.graph, names, machine, Bounds())
        if found is None:
            raise AuthorError("the rewriter ran out of time")
        share = found.cost / max(found.cost_before, 1)
        if not found.applied or share > WORTH_IT:
            log.info("%s: no rule lowers the cost (estimate %.2f of the reference's)", task.problem.name, share)
            continue
        doc = describe(found.applied, share)
        source = print_module(captured, doc=doc, graph=found.graph, fold=True, decorator=decorator, around=around)
        if source not in [w.source for w in written]:
            written.append(Rewriting(source, found.applied, share, "\n".join(doc)))
    return written


def describe(applied: Sequence[str], share: float) -> list[str]:
    """Lines for the file's docstring and for ``Candidate.explanation``: what was done, and why it holds."""
    from kernelwright.authors.rewriter.rules import ALL

    proofs = {rule.name: rule.proof for rule in ALL}
    return [
        "The reference with less work, by algebra.",
        f"Estimated cost: {share:.1%} of the reference's. Rules applied, each an identity for finite inputs:",
        *(f"- {name}: {proofs[name]}" for name in applied if name in proofs),
        "Work on weights alone is folded when weights are loaded (_fold), in float64, and rounded once; weights that",
        "are changed in place afterwards need a new load_state_dict.",
    ]


def _refused(history: Sequence[Attempt]) -> bool:
    """Did an earlier call fail? What stood in the way then still does."""
    return any(attempt.candidate is None for attempt in history)


def _short(rules: Sequence[str]) -> str:
    return ", ".join(rules[:3]) + (f" and {len(rules) - 3} more" if len(rules) > 3 else "")
