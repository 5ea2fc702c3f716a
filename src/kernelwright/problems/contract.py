"""What a problem format offers, and what a loaded problem can do."""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from kernelwright.schema import Problem

if TYPE_CHECKING:
    from torch import nn


class LoadedProblem(Protocol):
    """A problem that can be built and drawn from, in this process."""

    @property
    def name(self) -> str: ...

    def build(self, seed: int) -> "nn.Module":
        """The reference on the CPU, built under ``torch.manual_seed(seed)``, in eval mode. A new object every time."""
        ...

    def init_args(self) -> tuple[Any, ...]:
        """The positional constructor arguments that ``ModelNew`` gets too. New copies every time."""
        ...

    def draw(self, seed: int, device: str = "cpu") -> tuple[Any, ...]:
        """The positional arguments of ``forward``, drawn under ``seed``, with every tensor on ``device``.

        The same seed on the same device gives the same values; another device may give others.
        """
        ...


@runtime_checkable
class ProblemFormat(Protocol):
    """One way to write a problem down. Register an object like this under the entry point ``kernelwright.problems``."""

    @property
    def name(self) -> str: ...

    def recognises(self, source: str) -> bool:
        """Whether the text looks like this format, even an incomplete one. Never raises, never runs the text."""
        ...

    def check(self, source: str, path: str) -> None:
        """Raise ``ProblemError`` with one line unless the text keeps the contract, as far as reading can tell."""
        ...

    def load(self, problem: Problem) -> LoadedProblem:
        """Make the problem callable. Raises ``ProblemError`` with one line."""
        ...
