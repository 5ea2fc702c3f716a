"""The ``rewriter`` Author, and ``rewriter+inductor``, which compiles what the rewriter wrote."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kernelwright.authors import forms
from kernelwright.authors.author import Task
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.modes import compile_modes
from kernelwright.authors.replaying import REPLAYED, copies_little, may_be_launches
from kernelwright.authors.standing import best
from kernelwright.schema import Attempt, Candidate, Target

if TYPE_CHECKING:
    from kernelwright.authors.graph.capture import Captured

log = logging.getLogger(__name__)

WORTH_IT = 0.98
"""A rewriting is proposed if its estimated cost is below this share of the reference's."""

REORDERS_SUMS = frozenset(
    {
        "sum-into-linear",
        "sum-of-products",
        "linear-of-linear",
        "sum-split-features",
        "as-attention",
        "einsum-join-weights",
        "einsum-of-einsum",
        "sum-into-matmul",
        "matmul-associate",
        "matmul-associate-back",
        "linear-of-matmul",
        "matmul-of-linear",
        "sum-channels-of-conv",
        "sum-positions-of-conv",
        "sum-positions-of-group-norm",
        "merge-average-pools",
        "average-pool-before-pointwise",
        "average-pool-of-conv",
        "average-pool-of-conv-transpose",
    }
)
"""Rules that take sums in another order than the reference. The second variant does without them."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One variant."""

    graph: Graph
    rules: tuple[str, ...]
    share: float
    """Estimated cost over the reference's."""
    channels_last: bool = False

    @property
    def explanation(self) -> str:
        return "\n".join(describe(self.rules, self.share, self.channels_last))

    @property
    def title(self) -> str:
        parts = [f"rewritten: {_short(self.rules)}"] if self.rules else []
        return "; ".join([*parts, "channels last"] if self.channels_last else parts)

    def write(self, captured: "Captured", decorator: str = "", around: str = "") -> str:
        """The file's text; ``decorator`` and ``around`` as ``print_module`` takes them."""
        from kernelwright.authors.graph.printer import print_module

        doc = describe(self.rules, self.share, self.channels_last)
        return print_module(captured, doc=doc, graph=self.graph, fold=True, decorator=decorator, around=around)


class RewriterAuthor:
    """Writes the module again with less work, by algebra: plain PyTorch, no kernels.

    Proposes the cheapest form under all rules; then, where that is another, the cheapest without those that change the
    order of sums; then, on CUDA, the first of these (or the reference itself) with its 2d and 3d convolutions in
    channels-last memory, and the best of them all as one CUDA graph, where a call of it is so short that it may be
    spent in launching kernels. Proposes nothing else where no rule lowers the estimated cost (logged at INFO).
    """

    name = "rewriter"
    trusted = True
    targets = frozenset({Target.TORCH})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next variant. Raises ``AuthorError`` where the module cannot be captured as a graph."""
        if task.target not in (None, Target.TORCH) or _refused(history):
            return None
        captured, variants = find_variants(task)
        if len(history) < len(variants):
            chosen, around, title = variants[len(history)], "", variants[len(history)].title
        elif len(history) == len(variants) and (short := _short_one(task, history, variants)) is not None:
            chosen, around, title = short, "replayed", f"{short.title}, {REPLAYED}"
        else:
            return None
        source = chosen.write(captured, around=around)
        return Candidate(source=source, author=self.name, title=title, explanation=chosen.explanation)


def _short_one(task: Task, history: Sequence[Attempt], variants: Sequence[Rewriting]) -> Rewriting | None:
    """The best variant so far, where it is worth recording as a CUDA graph."""
    standing = best(history)
    if task.platform != "cuda" or standing is None or not may_be_launches(standing):
        return None
    chosen = variants[next(k for k, attempt in enumerate(history) if attempt is standing)]
    return chosen if copies_little(chosen.graph) else None


class CompiledRewriterAuthor:
    """The rewriter's first variant, its forward compiled by TorchInductor, in one mode after the other.

    Without ``max-autotune`` where the baseline of that name has shown that it does not pay. On CUDA, then, the variant
    in channels-last memory, in the first mode.
    """

    name = "rewriter+inductor"
    trusted = True
    targets = frozenset({Target.TORCH})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next mode. ``None`` where the rewriter has nothing to say: ``inductor`` then covers the rest."""
        default, tuned, *_ = compile_modes(task.platform)
        modes = [default] if tuned.baseline in task.beaten else [default, tuned]
        if task.target not in (None, Target.TORCH) or _refused(history) or len(history) > len(modes):
            return None
        captured, variants = find_variants(task)
        proposals = [(variant, mode) for mode in modes for variant in variants[:1] if variant.rules]
        proposals += [(variant, modes[0]) for variant in variants if variant.channels_last]
        if len(history) >= len(proposals):
            return None
        chosen, mode = proposals[len(history)]
        return Candidate(
            source=chosen.write(captured, f"@{mode.call}", around="cloned" if mode.graphs else ""),
            author=self.name,
            title=f"{chosen.title}; compiled ({mode.name})",
            explanation=f"{chosen.explanation}\n\nThen compiled: {mode.explanation}",
        )


def find_variants(task: Task) -> "tuple[Captured, list[Rewriting]]":
    """The different rewritings that are worth it, the boldest first, the one in another layout last.

    Raises ``AuthorError``.
    """
    from kernelwright.authors.rewriter.channels_last import in_channels_last
    from kernelwright.authors.rewriter.rules import ALL

    captured = forms.captured(task.problem)
    every = [rule.name for rule in ALL]
    variants: list[Rewriting] = []
    for names in (every, [name for name in every if name not in REORDERS_SUMS]):
        found = forms.rewritten(task.problem, task.platform, names)
        share = found.cost / max(found.cost_before, 1)
        if not found.applied or share > WORTH_IT:
            log.info("%s: no rule lowers the cost (estimate %.2f of the reference's)", task.problem.name, share)
            break  # fewer rules find no more
        if not variants or found.graph.nodes != variants[0].graph.nodes:
            variants.append(Rewriting(found.graph, found.applied, share))
    if task.platform == "cuda":
        first = variants[0] if variants else Rewriting(captured.graph, (), 1.0)
        laid_out = in_channels_last(first.graph)
        if laid_out is not None:
            variants.append(replace(first, graph=laid_out, channels_last=True))
    return captured, variants


def describe(applied: Sequence[str], share: float, channels_last: bool = False) -> list[str]:
    """Lines for the file's docstring and for ``Candidate.explanation``: what was done, and why it holds."""
    from kernelwright.authors.rewriter.parts import PARTS
    from kernelwright.authors.rewriter.rules import ALL
    from kernelwright.authors.rewriter.stacking import STACKINGS

    proofs = {known.name: known.proof for known in (PARTS, *ALL, *STACKINGS)}
    layout = "Convolutions are computed in channels-last memory: kernels are laid out per load, inputs on entry."
    if not applied:
        return ["The reference in another layout.", layout]
    return [
        "The reference with less work, by algebra.",
        f"Estimated cost: {share:.1%} of the reference's. Rules applied, each an identity for finite inputs:",
        *(f"- {name}: {proofs[name]}" for name in applied if name in proofs),
        *([layout] if channels_last else []),
        "Work on weights alone is folded when weights are loaded (_fold), in float64, and rounded once; weights that",
        "are changed in place afterwards need a new load_state_dict.",
    ]


def _refused(history: Sequence[Attempt]) -> bool:
    """Did an earlier call fail? What stood in the way then still does."""
    return any(attempt.candidate is None for attempt in history)


def _short(rules: Sequence[str]) -> str:
    return ", ".join(rules[:3]) + (f" and {len(rules) - 3} more" if len(rules) > 3 else "")
