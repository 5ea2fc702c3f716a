"""The registry of problem formats: the built-in ones, and those that installed packages bring.

A package joins with an entry point in the group ``kernelwright.problems`` whose value is an object that satisfies
:class:`~kernelwright.problems.contract.ProblemFormat`. The entry point's name is the format's name.
"""

import warnings
from importlib.metadata import EntryPoint, entry_points

from kernelwright.problems.contract import ProblemFormat
from kernelwright.problems.example_format import ExampleModuleFormat
from kernelwright.problems.kernelbench import KernelBenchFormat
from kernelwright.problems.reading import one_line
from kernelwright.schema import ProblemError

GROUP = "kernelwright.problems"

_KERNELBENCH = KernelBenchFormat()
_BUILT_IN: dict[str, ProblemFormat] = {f.name: f for f in (_KERNELBENCH, ExampleModuleFormat())}


def names() -> tuple[str, ...]:
    """Every format that can be asked for: the built-in ones first, the others by name."""
    return (*_BUILT_IN, *sorted(_plugins()))


def get(name: str) -> ProblemFormat:
    """The format of this name. Raises ``ProblemError`` with one line that lists what there is."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    plugin = _plugins().get(name)
    if plugin is None:
        raise ProblemError(f"no problem format {name!r}: there are {', '.join(names())}")
    return _load_plugin(plugin)


def recognise(source: str) -> ProblemFormat:
    """The first format that recognises the text; KernelBench where none does, for its check says what is missing.

    A package whose format cannot be loaded is named in a warning and passed over: it must not block the others.
    """
    for built_in in _BUILT_IN.values():
        if built_in.recognises(source):
            return built_in
    for _, plugin in sorted(_plugins().items()):
        try:
            candidate = _load_plugin(plugin)
        except ProblemError as error:
            warnings.warn(str(error), stacklevel=2)
            continue
        if candidate.recognises(source):
            return candidate
    return _KERNELBENCH


def _plugins() -> dict[str, EntryPoint]:
    return {e.name: e for e in entry_points(group=GROUP) if e.name not in _BUILT_IN}


def _load_plugin(entry: EntryPoint) -> ProblemFormat:
    try:
        loaded = entry.load()
    except Exception as error:
        raise ProblemError(
            f"problem format {entry.name!r} ({entry.value}) cannot be loaded: {one_line(error)}"
        ) from error
    if not isinstance(loaded, ProblemFormat):
        raise ProblemError(f"problem format {entry.name!r} ({entry.value}) lacks one of name, recognises, check, load")
    return loaded
