"""Text as a Python module, with its source where tracebacks, ``inspect`` and ``torch.compile`` look for it."""

import linecache
import sys
from types import ModuleType

from kernelwright.problems.reading import line_within, one_line
from kernelwright.schema import Problem, ProblemError


def run_source(problem: Problem) -> ModuleType:
    """Execute the problem's text as a module named after its digest; the same digest gives the same module again.

    The module stays in ``sys.modules``, which pickling, dataclasses and ``inspect`` need, and its ``__file__`` is a key
    of ``linecache``, not a path: a problem is its content, and the file it came from may have changed or be elsewhere.

    Raises ``ProblemError`` with one line when the text does not run.
    """
    name = f"kernelwright_problem_{problem.digest[:24]}"
    if name in sys.modules:
        return sys.modules[name]
    filename = f"<problem {problem.name} {problem.digest[:12]}>"
    where = problem.path or problem.name
    try:
        code = compile(problem.source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ProblemError(f"{where}: cannot be compiled: {one_line(error)}") from error
    # No modification time: linecache then never drops the entry for want of a file.
    linecache.cache[filename] = (len(problem.source), None, problem.source.splitlines(keepends=True), filename)
    module = ModuleType(name)
    module.__file__ = filename
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ProblemError(
            f"{where}: running the file failed{line_within(error, filename)}: {one_line(error)}"
        ) from error
    except BaseException:
        del sys.modules[name]
        raise
    return module
