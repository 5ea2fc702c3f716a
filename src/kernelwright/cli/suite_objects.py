"""The objects that ``kernelwright suite … --json`` prints. Documented field by field in docs/suites.md."""

from typing import Literal

from pydantic import Field

from kernelwright.cli.objects import JsonObject
from kernelwright.suites.scores import SuiteScore


class SuiteRunObject(JsonObject):
    """``kernelwright suite run --json``."""

    schema_version: Literal["kernelwright.suite-run/1"] = Field(default="kernelwright.suite-run/1", alias="schema")
    file: str
    finished: int
    """Problems finished by this command."""
    skipped: int
    """Problems that the file held already."""
    not_judged: tuple[str, ...]
    """Of all in the file."""
    left: tuple[str, ...]
    """Not begun for want of time."""
    wall_seconds: float
    device_seconds: float
    score: SuiteScore | None
    """Of the whole file; null where it holds no problem yet."""
