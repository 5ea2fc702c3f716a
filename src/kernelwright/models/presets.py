"""Swarms by name: which models work together. The lists are data, ``presets.toml``, and yours come first."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from kernelwright.home import home

OURS = Path(__file__).parent / "presets.toml"


def members(name: str) -> tuple[str, ...]:
    """The names of a preset's models. Raises ``LookupError`` with one line that lists the presets there are."""
    known = names()
    if name not in known:
        raise LookupError(f"no swarm {name!r}; there is {', '.join(known)} (yours go into {home() / 'presets.toml'})")
    return known[name]


def of_file(path: Path) -> tuple[str, ...]:
    """The models of a file in the form of ``presets.toml`` that holds one swarm. Raises ``LookupError`` (one line)."""
    found = _read(path)
    if len(found) != 1:
        raise LookupError(f"{path} holds {len(found)} swarms: one is needed")
    return next(iter(found.values()))


def names() -> dict[str, tuple[str, ...]]:
    """All presets: ours, and those of ``presets.toml`` in Kernelwright's home, which replace ours of the same name.

    Raises ``LookupError`` with one line for a file that cannot be used.
    """
    own = home() / "presets.toml"
    return dict(_read(OURS)) | (_read(own) if own.is_file() else {})


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise LookupError(f"{path}: {error}") from error


@cache
def _parse(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, table in tomllib.loads(text).items():
        listed: Any = table.get("models") if isinstance(table, dict) else None
        if not isinstance(listed, list) or not listed or not all(isinstance(model, str) for model in listed):
            raise ValueError(f'[{name}] needs a list: models = ["PROVIDER:MODEL", …]')
        found[name] = tuple(listed)
    return found
