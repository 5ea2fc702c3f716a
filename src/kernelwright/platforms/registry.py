"""Which platforms there are. Other packages join through the entry point group ``kernelwright.platforms``.

An entry point names a factory without arguments: ``tpu = "my_package.platforms:TpuPlatform"``. A name that is built in
cannot be taken over.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from kernelwright.platforms.contract import Platform

GROUP = "kernelwright.platforms"
_BUILT_IN = {"cuda": "CudaPlatform", "mps": "MpsPlatform", "cpu": "CpuPlatform"}
"""Best first."""


def names() -> tuple[str, ...]:
    """Every registered platform, available here or not; built-in ones first, best first."""
    return (*_BUILT_IN, *sorted(_joined()))


def get(name: str | None = None) -> Platform:
    """A new platform object; ``None`` is the best one that is available.

    Raises ``LookupError`` with one line that lists what there is. The platform need not be available: ask it.
    """
    if name is None:
        return best()
    if name in _BUILT_IN:
        module = import_module(f"kernelwright.platforms.{name}")
        return cast(Callable[[], Platform], getattr(module, _BUILT_IN[name]))()
    joined = _joined()
    if name not in joined:
        raise LookupError(f"no platform {name!r}: there are {', '.join(names())}")
    try:
        return cast(Callable[[], Platform], joined[name].load())()
    except Exception as error:  # another package's code may raise anything
        value = joined[name].value
        raise LookupError(f"platform {name!r} ({value}) cannot be loaded: {type(error).__name__}: {error}") from error


def best() -> Platform:
    """The first available of cuda, mps and cpu. Platforms of other packages are only taken by name."""
    return next(platform for platform in map(get, _BUILT_IN) if platform.name == "cpu" or platform.available())


def _joined() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _BUILT_IN}
