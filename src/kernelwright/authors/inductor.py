"""The ``inductor`` Author: torch.compile in its modes, as Candidates like any other."""

from collections.abc import Sequence

from kernelwright.authors import forms
from kernelwright.authors.author import AuthorError, Task
from kernelwright.authors.modes import Mode, compile_modes
from kernelwright.authors.reference_source import foreign_imports, model_source
from kernelwright.schema import Attempt, Candidate, Target

SUBCLASS = '''

class ModelNew(Model):
    """The reference, its forward compiled at the first call."""

    forward = {call}
'''
CLONED = '''

class ModelNew(Model):
    """The reference, its forward compiled at the first call; outputs are cloned, since replays write over them."""

    _compiled = {call}

    def forward(self, *args, **kwargs):
        outputs = self._compiled(*args, **kwargs)
        return torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, outputs)
'''


class InductorAuthor:
    """Proposes the reference compiled by TorchInductor, one mode after the other.

    A mode whose baseline is beaten already, by another baseline or by an Attempt, is left out: as a Candidate it would
    come out the same, minutes later. For a problem with source the Candidate is that source, without the inputs, and a
    subclass whose ``forward`` is compiled; so ``state_dict`` keeps its names. A module without source is captured as a
    graph and printed.
    """

    name = "inductor"
    trusted = True
    targets = frozenset({Target.TORCH})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The next mode. Raises ``AuthorError`` where there is neither source nor a graph."""
        modes = [mode for mode in compile_modes(task.platform) if mode.baseline not in task.beaten]
        failed = any(attempt.candidate is None for attempt in history)
        if task.target not in (None, Target.TORCH) or failed or len(history) >= len(modes):
            return None
        mode = modes[len(history)]
        return Candidate(
            source=compiled_source(task, mode),
            author=self.name,
            title=f"torch.compile ({mode.name})",
            explanation=mode.explanation,
        )


def compiled_source(task: Task, mode: Mode) -> str:
    """The text of a file whose ``ModelNew`` is the reference under ``torch.compile``. Raises ``AuthorError``."""
    problem = task.problem
    if problem.format == "kernelbench":
        try:
            text = model_source(problem.source)
        except (SyntaxError, ValueError) as error:
            raise AuthorError(f"{problem.name}: {error}") from error
        if not foreign_imports(text):
            subclass = (CLONED if mode.graphs else SUBCLASS).format(
                call=f"torch.compile(Model.forward, {mode.options})"
            )
            return ("" if "import torch\n" in text else "import torch\n") + text + subclass
    from kernelwright.authors.graph.printer import print_module

    doc = [f"The reference as a graph, compiled. {mode.explanation}"]
    around = "cloned" if mode.graphs else ""
    return print_module(forms.captured(problem), doc=doc, decorator=f"@{mode.call}", around=around)
