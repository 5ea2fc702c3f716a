"""What a kernel in lockstep consists of: code for the threadgroup, for each SIMD-group, and for each thread."""

from dataclasses import dataclass, field

from kernelwright.metal.language.grammar import Range
from kernelwright.metal.language.locals import Variable
from kernelwright.metal.language.statements import Statement
from kernelwright.metal.language.stops import Call
from kernelwright.metal.language.strides import Stride


@dataclass(frozen=True)
class Piece:
    """A statement, or one variable of a declaration: then ``ranges`` are the type and the variable."""

    statement: Statement
    ranges: tuple[Range, ...]
    variable: Variable | None = None
    initialiser: Range = (0, 0)

    @property
    def where(self) -> Range:
        """All but the type of a variable."""
        return self.ranges[-1]


@dataclass(frozen=True)
class Once:
    """Code that runs as it stands, once for the threadgroup or the SIMD-group."""

    piece: Piece


@dataclass(frozen=True)
class Step:
    """Code for each thread. ``tail``: nothing comes after it, and it may return. ``stride``: it is a loop's body."""

    number: int
    pieces: list[Piece] = field(default_factory=list[Piece])
    tail: bool = False
    stride: Stride | None = None


@dataclass(frozen=True)
class Guard:
    """``if (…) return;`` at the beginning. Where only a part of the threads would return, others know how to go on."""

    number: int
    condition: Range


@dataclass(frozen=True)
class Bring:
    """Each lane brings its value to an operation."""

    number: int
    call: Call


@dataclass(frozen=True)
class Control:
    """A block, ``if`` or loop around others. ``start``: of a ``for``, its first part."""

    statement: Statement
    start: tuple[Piece, ...]
    parts: tuple[list["Node"], ...]


@dataclass(frozen=True)
class Simds:
    """What each SIMD-group does between two barriers."""

    number: int
    nodes: list["Node"]


Node = Once | Step | Guard | Bring | Control | Simds
