"""The judge: builds, checks and times a candidate in an isolated process, and answers with a Verdict.

Start reading at ``session.py``: its ``judge`` is the whole way of a candidate in one screen.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelwright.judge.reference.client import ReferenceFailed
    from kernelwright.judge.session import JudgeSession
    from kernelwright.judge.settings import JudgeSettings
    from kernelwright.judge.survey import ReferenceCheck, ReferenceSurvey

__all__ = ["JudgeSession", "JudgeSettings", "ReferenceCheck", "ReferenceFailed", "ReferenceSurvey"]

_WHERE = {
    "JudgeSession": "session",
    "JudgeSettings": "settings",
    "ReferenceCheck": "survey",
    "ReferenceFailed": "reference.client",
    "ReferenceSurvey": "survey",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:  # workers import this package too: they must not pay for the judge's own side
        return getattr(import_module(f"kernelwright.judge.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'kernelwright.judge' has no attribute {name!r}")


class _CallableRoom(ModuleType):
    """``kernelwright.judge`` is this room and a function of the Python API: calling the room calls that function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_module("kernelwright.deploy").judge(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableRoom
