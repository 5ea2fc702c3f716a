"""What a rule on source text says, and what such a rule is."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kernelwright.schema import Candidate


@dataclass(frozen=True)
class Remark:
    """What a rule says about a candidate's text. ``label`` marks the verdict; ``warning`` is a line for the reader."""

    line: int
    warning: str = ""
    label: str = ""


class IntegrityRule(Protocol):
    """Reads a candidate's syntax tree. Other packages add theirs: entry point ``kernelwright.integrity_rules``."""

    @property
    def name(self) -> str: ...

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]: ...
