"""The ``module`` format: an ``nn.Module`` with example inputs, kept as a pickle. It has no text form."""

from kernelwright.problems.contract import LoadedProblem
from kernelwright.schema import Problem, ProblemError


class ExampleModuleFormat:
    """Problems made by ``from_module``."""

    name = "module"

    def recognises(self, source: str) -> bool:
        """Never: these problems are not read from text."""
        return False

    def check(self, source: str, path: str) -> None:
        """Raises ``ProblemError`` always, with the line that helps."""
        raise ProblemError(f"{path}: format 'module' is not read from files: use kernelwright.problems.from_module")

    def load(self, problem: Problem) -> LoadedProblem:
        """Unpickle the example inputs. Raises ``ProblemError`` with one line."""
        from kernelwright.problems.example_module import ExampleModule

        return ExampleModule(problem)
