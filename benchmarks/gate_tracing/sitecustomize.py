"""Python imports a module of this name whenever it starts: this one writes down who passes the gate before a device.

``benchmarks/gate_trace.py`` puts a copy on PYTHONPATH. That is enough: candidates start with an environment that is an
allow-list, and their PYTHONPATH is what their parent could import from. Until kernelwright's gate is imported this
costs a comparison for each import.
"""

import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

GATE = "kernelwright.judge.gate"


class WaitsForGate:
    """Stands before the other finders; what it finds is what they would have found."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != GATE:
            return None
        spec: Any = PathFinder.find_spec(name, path, target)
        with suppress(Exception):  # no trace is better than another program
            spec.loader.exec_module = traced(spec.loader.exec_module)
        return spec


def traced(execute: Any) -> Any:
    def exec_module(module: ModuleType) -> None:
        execute(module)
        with suppress(Exception):
            from gate_recorder import record_stays

            record_stays(module)

    return exec_module


def give_way_to_next() -> None:
    """The module that this one hides: some Linux distributions have one."""
    here = __file__.rpartition("/")[0]
    spec = PathFinder.find_spec("sitecustomize", [place for place in sys.path if place != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(ModuleType(spec.name))


sys.meta_path.insert(0, WaitsForGate)  # type: ignore[arg-type]
with suppress(Exception):
    give_way_to_next()
