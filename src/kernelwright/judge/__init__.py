"""The judge: builds, checks and times a candidate in an isolated process, and answers with a Verdict.

Start reading at ``session.py``: its ``judge`` is the whole way of a candidate in one screen.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernelwright.judge.session import JudgeSession, ReferenceCheck
    from kernelwright.judge.settings import JudgeSettings

__all__ = ["JudgeSession", "JudgeSettings", "ReferenceCheck"]

_WHERE = {"JudgeSession": "session", "ReferenceCheck": "session", "JudgeSettings": "settings"}


def __getattr__(name: str) -> Any:
    if name in _WHERE:  # workers import this package too: they must not pay for the judge's own side
        return getattr(import_module(f"kernelwright.judge.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'kernelwright.judge' has no attribute {name!r}")
