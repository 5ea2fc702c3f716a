"""Metal Shading Language as tokens that know where they stand in the user's own files.

The input is preprocessed text with line markers (``# 12 "file.metal"``), as ``clang -E`` prints it. Translation edits
tokens in place and never joins lines, so a position in the C++ is a position in the Metal source.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is. ``SPACE`` covers blanks and comments, ``NEWLINE`` one end of line."""

    IDENTIFIER = "identifier"
    NUMBER = "number"
    STRING = "string"
    CHARACTER = "character"
    OPERATOR = "operator"
    SPACE = "space"
    NEWLINE = "newline"
    DIRECTIVE = "directive"
    """A preprocessor line that is left: a line marker or a pragma."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the user's source, both counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True)
class Token:
    """One token. ``text`` may be edited; ``place`` stays where the user wrote it."""

    kind: Kind
    text: str
    place: Place

    @property
    def meaningful(self) -> bool:
        """Whether the token counts for the grammar."""
        return self.kind not in (Kind.SPACE, Kind.NEWLINE, Kind.DIRECTIVE)


class SourceError(ValueError):
    """The text cannot be Metal; ``place`` says where."""

    def __init__(self, message: str, place: Place):
        super().__init__(f"{place}: {message}")
        self.message, self.place = message, place


_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\f\v]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/|\\\n)
    | (?P<newline>\n)
    | (?P<directive>(?m:^)[ \t]*\#[^\n]*)
    | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<character>'(?:\\.|[^'\\\n])*')
    | (?P<number>
          0[xX][0-9a-fA-F']*(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?[0-9]+)?[uUlLfFhH]*
        | 0[bB][01']+[uUlL]*
        | (?:[0-9][0-9']*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[bB][fF]|[uUlLfFhH]*)
      )
    | (?P<identifier>[A-Za-z_]\w*)
    | (?P<operator>::|->\*?|<<=|>>=|<=>|\.\.\.|[-+*/%&|^=!<>]=|&&|\|\||\+\+|--|<<|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_MARKER = re.compile(r'\s*#\s*(?:line\s+)?(\d+)\s+"((?:\\.|[^"\\])*)"')


def tokenize(text: str, file: str = "program.metal") -> list[Token]:
    """Every token of ``text`` in order; their texts joined give ``text`` back. Raises ``SourceError``.

    ``>>`` comes as two tokens ``>``: closing two template lists is more common in kernels than a shift, and two
    adjacent ``>`` still are a shift for the compiler.
    """
    tokens: list[Token] = []
    line, start, position = 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        place = Place(file, line, position - start + 1)
        if match is None:
            raise SourceError(f"{text[position]!r} cannot stand here", place)
        kind, found = Kind(str(match.lastgroup)), match.group()
        position = match.end()
        tokens.append(Token(kind, found, place))
        if kind is Kind.DIRECTIVE and (marker := _MARKER.match(found)):
            # the marker speaks of the line after it
            line, file = int(marker.group(1)) - 1, marker.group(2).replace("\\\\", "\\")
        if breaks := found.count("\n"):
            line += breaks
            start = match.start() + found.rindex("\n") + 1
    return tokens


def text_of(tokens: Iterable[Token]) -> str:
    """The tokens as text again."""
    return "".join(token.text for token in tokens)


def meaningful(tokens: Iterable[Token]) -> Iterator[Token]:
    """The tokens that count for the grammar."""
    return (token for token in tokens if token.meaningful)
