"""What the parts of the Metal room hand to each other. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # language imports this module: only the name is needed here
    from kernelwright.metal.language.tokens import Place


class Severity(StrEnum):
    """How bad a diagnostic is. Only errors stop a compilation."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Diagnostic:
    """One thing that a compiler says about the user's source."""

    severity: Severity
    message: str
    place: "Place"
    section: str = ""
    """Of the Metal Shading Language Specification 3.2, as in ``5.8``; empty: the C++ compiler said it."""
    text: str = ""
    """The user's line, without its end."""

    def __str__(self) -> str:
        """``file:line:column: error: message``, the line below it, and ``^`` below the column."""
        head = f"{self.place}: {self.severity}: {self.message}"
        if self.section:
            head += f" [Metal Shading Language Specification, section {self.section}]"
        if not self.text.strip():
            return head
        lead = "".join("\t" if c == "\t" else " " for c in self.text[: self.place.column - 1])
        return f"{head}\n  {self.text}\n  {lead}^"


@dataclass(frozen=True)
class KernelArgument:
    """One parameter of a kernel."""

    name: str
    kind: str
    """Lower-case name of ``KwArgumentKind`` without ``KW_``: ``buffer``, ``thread_position_in_grid``, …"""
    index: int
    """Of a buffer or threadgroup argument; 0 for everything else."""
    type: str
    """As the user wrote it, address space included."""
    address_space: str
    """``device``, ``constant`` or ``threadgroup``; empty for values."""


@dataclass(frozen=True)
class KernelSignature:
    """One kernel that a program can be asked for; template instantiations are one each."""

    name: str
    """The C++ function, with its template arguments."""
    host_name: str
    """What the program calls it: its name, or what ``[[host_name("…")]]`` says."""
    number: int
    """The compiled program exports it as ``kw_kernel_<number>``."""
    arguments: tuple[KernelArgument, ...]
    synchronises: bool
    """It may wait for other threads: barrier, ``simd_``, ``quad_``, ``simdgroup_``, or a function that does."""
    place: "Place"
    max_threads: int = 0
    """``[[max_total_threads_per_threadgroup(n)]]``; 0: not given."""


@dataclass(frozen=True)
class Translation:
    """A Metal program as C++."""

    text: str
    """Expects ``kw_prelude.h`` before it. Line markers keep the user's files and lines."""
    kernels: tuple[KernelSignature, ...]
    lockstep: Mapping[str, "Place"] = field(default_factory=dict[str, "Place"])
    """The kernels that have a second form, in lockstep, and where that stands. The compiler may still reject it."""
