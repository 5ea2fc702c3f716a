"""Problems: formats, loading, input drawing, and the draws and weights a fair comparison needs.

``from_file`` and ``from_module`` make a :class:`~kernelwright.schema.Problem` (a value), ``load`` turns one into a
:class:`LoadedProblem` (things to call). Importing this package costs no torch; loading does.

- ``formats``     the registry that other packages join (entry point group ``kernelwright.problems``)
- ``structure``   nested inputs and outputs as flat lists, and back
- ``stress``      elementwise changes to a draw that catch code which only works on the problem's own inputs
- ``weights``     random values for parameters and buffers that start at a constant
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright.problems import formats
from kernelwright.problems.contract import LoadedProblem, ProblemFormat
from kernelwright.problems.reading import read_problem_file
from kernelwright.schema import Problem, ProblemError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LoadedProblem", "Problem", "ProblemError", "ProblemFormat", "from_file", "from_module", "load"]


def from_file(path: str | Path, format: str | None = None) -> Problem:
    """Read a problem file and check its format's contract without running it.

    ``format`` names the format; without it, the first registered format that recognises the text is taken, and a text
    that none recognises is held against the KernelBench contract, so that the error names what that one misses.

    Raises ``ProblemError`` with one line: the file, the line where there is one, and what is missing.
    """
    path = Path(path)
    source = read_problem_file(path)
    chosen = formats.get(format) if format is not None else formats.recognise(source)
    chosen.check(source, str(path))
    return Problem(name=path.stem, format=chosen.name, source=source, path=str(path))


def from_module(module: "nn.Module", inputs: Sequence[Any], name: str | None = None) -> Problem:
    """A module and example inputs (the positional arguments of ``forward``) as a problem of format ``module``.

    The module is stored by value, so one from ``__main__``, a notebook or a project that is not installed can be loaded
    in another process. Raises ``ProblemError`` with one line when it cannot be stored.
    """
    from kernelwright.problems.example_module import problem_from_module

    return problem_from_module(module, inputs, name)


def load(problem: Problem) -> LoadedProblem:
    """Make the problem's reference and inputs available. May execute the problem's code.

    Raises ``ProblemError`` with one line. The result's own methods raise it too, where the problem's code fails later.
    """
    return formats.get(problem.format).load(problem)
