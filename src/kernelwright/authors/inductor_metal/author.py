"""The Author itself."""

from collections.abc import Sequence

from kernelwright.authors.author import Task
from kernelwright.authors.inductor_metal.process import write_in_child
from kernelwright.schema import Attempt, Candidate, Target


class InductorMetalAuthor:
    """Writes what TorchInductor emits for Apple GPUs, as a file of its own that needs no Inductor.

    One proposal: Metal kernels for all that Inductor fuses, plain torch calls for what it leaves to ATen (matrix
    products, convolutions, sorting). Works on every machine; the Mac is only needed to run at its speed.
    """

    name = "inductor-metal"
    trusted = True
    targets = frozenset({Target.METAL})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        """The one Candidate. Raises ``AuthorError`` where Inductor cannot lower the reference, or writes no kernel."""
        if task.target is not Target.METAL or history:
            return None
        written = write_in_child(task.problem)
        return Candidate(
            source=written.source,
            target=Target.METAL,
            author=self.name,
            title=f"TorchInductor's Metal: {written.summary}",
            explanation=written.explanation,
        )
