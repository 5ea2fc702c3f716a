"""``[[attributes]]``: read and taken out of the program, except those that C++ itself knows.

``[[`` always begins an attribute in C++, so they are found without any other grammar (Metal Shading Language
Specification 3.2, 5.2: attributes on arguments; 5.1: on functions).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.metal.language.grammar import Code
from kernelwright.metal.language.tokens import Place, SourceError, Token

_KEPT = frozenset({"maybe_unused", "nodiscard", "fallthrough", "noreturn", "deprecated", "likely", "unlikely"})


@dataclass(frozen=True)
class Attribute:
    """``name(arguments)``; the arguments are the tokens between the parentheses."""

    name: str
    arguments: tuple[str, ...]
    place: Place


class Attributes:
    """The attributes of a program by the *gap* they stood in: gap ``i`` lies just before position ``i`` of ``code``.

    ``code`` is the program without them.
    """

    def __init__(self, tokens: Sequence[Token]):
        self.by_gap: dict[int, list[Attribute]] = {}
        words = [token for token in tokens if token.meaningful]
        kept: list[Token] = []
        i = 0
        while i < len(words):
            if i + 1 < len(words) and words[i].text == words[i + 1].text == "[":
                last = _end(words, i)
                found = _parse(words[i + 2 : last - 1])
                if any(attribute.name not in _KEPT and "::" not in attribute.name for attribute in found):
                    self.by_gap.setdefault(len(kept), []).extend(found)
                    for token in words[i : last + 1]:
                        token.text = ""
                    i = last + 1
                    continue
                kept += words[i : last + 1]
                i = last + 1
                continue
            kept.append(words[i])
            i += 1
        self.code = Code(kept)

    def within(self, first: int, last: int) -> list[Attribute]:
        """Attributes in the gaps ``first`` to ``last``, both included."""
        if last - first > len(self.by_gap):
            gaps = sorted(gap for gap in self.by_gap if first <= gap <= last)
        else:
            gaps = [gap for gap in range(first, last + 1) if gap in self.by_gap]
        return [attribute for gap in gaps for attribute in self.by_gap[gap]]


def _end(words: Sequence[Token], start: int) -> int:
    """Index of the last ``]`` of the attribute list that starts at ``start``."""
    depth = 0
    for i in range(start, len(words)):
        depth += {"[": 1, "]": -1}.get(words[i].text, 0)
        if depth == 0:
            return i
    raise SourceError("'[[' is never closed", words[start].place)


def _parse(words: Sequence[Token]) -> list[Attribute]:
    """``name``, ``scope::name`` or ``name(arguments)``, separated by commas."""
    found: list[Attribute] = []
    i = 0
    while i < len(words):
        place, name = words[i].place, ""
        while i < len(words) and words[i].text not in ("(", ","):
            name += words[i].text
            i += 1
        arguments: list[str] = []
        if i < len(words) and words[i].text == "(":
            depth = 0
            while i < len(words):
                depth += {"(": 1, ")": -1}.get(words[i].text, 0)
                arguments.append(words[i].text)
                i += 1
                if depth == 0:
                    break
            arguments = arguments[1:-1]
        if name:
            found.append(Attribute(name, tuple(arguments), place))
        i += 1  # the comma
    return found
