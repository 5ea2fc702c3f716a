"""Tokens as the grammar of declarations sees them: attributes set aside, brackets matched."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kernelwright.metal.language.tokens import Kind, Place, Token

DEEPEST = 256
"""Brackets within brackets: as many as clang reads."""

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_WITH_ARGUMENT = frozenset({"__attribute__", "__declspec", "alignas", "_Alignas", "_Pragma"})
_MARKS = frozenset({"METAL_FUNC", "METAL_INTERNAL", "__extension__", "__restrict", "__restrict__", "__inline__"})
"""Words that say nothing about types and may stand between any two others."""

KEYWORDS = frozenset({
    "if", "else", "for", "while", "do", "switch", "case", "default", "return", "break", "continue", "goto",
    "operator", "sizeof", "alignof", "new", "delete", "this", "true", "false", "nullptr", "try", "catch", "throw",
    "static_cast", "reinterpret_cast", "const_cast", "dynamic_cast", "typeid", "noexcept", "static_assert",
    "public", "private", "protected", "namespace", "using", "typedef", "friend", "asm", "__asm", "__asm__", "and",
    "or", "not", "xor", "co_await", "co_return", "co_yield", "requires", "concept",
})  # fmt: skip
"""Words of C++ that name nothing and begin no type."""

_BEFORE_LIST = frozenset({"template", "static_cast", "reinterpret_cast", "const_cast", "dynamic_cast"})
"""Words that a template list follows."""


class Unreadable(ValueError):
    """The brackets do not match, or are nested too deeply: the compiler will say so better than we can."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a list in double brackets: ``buffer(0)``."""

    name: str
    """With its namespace, if it has one: ``gnu::unused``."""
    arguments: tuple[str, ...]
    """The texts between its parentheses."""
    place: Place


class Stream:
    """The meaningful tokens of a program without attributes. Raises ``Unreadable``.

    A position is an index into ``texts``. ``close[i]`` is where the bracket that opens at ``i`` closes. Attributes are
    found at the position of the first token after them.
    """

    def __init__(self, tokens: Sequence[Token]):
        words = [token for token in tokens if token.meaningful]
        close = _matched(words)
        self.tokens: list[Token] = []
        self._attributes: dict[int, list[Attribute]] = {}
        i = 0
        while i < len(words):
            text = words[i].text
            if text == "[" and i + 1 < len(words) and words[i + 1].text == "[" and close[i] == close[i + 1] + 1:
                found = self._attributes.setdefault(len(self.tokens), [])
                found += _attributes(words[i + 2 : close[i + 1]])
                i = close[i] + 1
            elif text in _MARKS:
                i += 1
            elif text in _WITH_ARGUMENT and i + 1 < len(words) and words[i + 1].text == "(":
                i = close[i + 1] + 1
            else:
                self.tokens.append(words[i])
                i += 1
        self.texts = [token.text for token in self.tokens]
        self._names = [t.kind is Kind.IDENTIFIER and t.text not in KEYWORDS for t in self.tokens]
        self._positions: dict[str, list[int]] = {}
        for position, text in enumerate(self.texts):
            self._positions.setdefault(text, []).append(position)
        self.close = _matched(self.tokens)

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, i: int) -> str:
        """The token's text; empty before the first and after the last one."""
        return self.texts[i] if 0 <= i < len(self.texts) else ""

    def is_name(self, i: int) -> bool:
        """Whether the token is an identifier that can name something."""
        return 0 <= i < len(self._names) and self._names[i]

    def each(self, words: Iterable[str]) -> list[int]:
        """The positions of all tokens with one of these texts, in order."""
        return sorted(i for word in words for i in self._positions.get(word, ()))

    def attributes(self, first: int, last: int) -> Iterator[Attribute]:
        """Attributes directly before the tokens ``first`` to ``last``, both included, in the order written."""
        for i in range(first, last + 1):
            yield from self._attributes.get(i, ())

    def all_attributes(self) -> Iterator[tuple[int, Attribute]]:
        """Each attribute of the program with its position."""
        for i, found in self._attributes.items():
            for attribute in found:
                yield i, attribute

    def find(self, i: int, end: int, stops: frozenset[str]) -> int:
        """The first position from ``i`` on with a text of ``stops``, outside of brackets; ``end`` if there is none."""
        while i < end:
            if self.texts[i] in stops:
                return i
            i = self.close.get(i, i) + 1
        return end

    def angle(self, i: int) -> int | None:
        """Where the template list that opens at ``i`` closes; ``None`` where ``<`` compares.

        A ``<`` that does not follow a name compares. A list ends before any ``;`` and inside the brackets around it.
        """
        depth = 0
        while i < len(self.texts):
            text = self.texts[i]
            if text == "<" and (self.is_name(i - 1) or self.text(i - 1) in _BEFORE_LIST):
                depth += 1
            elif text == ">":
                depth -= 1
                if depth == 0:
                    return i
            elif text in (";", ")", "]", "}"):
                return None
            i = self.close.get(i, i) + 1
        return None

    def pieces(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges between the commas of a list, template lists and brackets skipped."""
        start = i = first
        while i < end:
            if self.texts[i] == "," and start <= i:
                yield start, i
                start = i + 1
            if self.texts[i] == "<" and (closing := self.angle(i)) is not None and closing < end:
                i = closing + 1
            else:
                i = self.close.get(i, i) + 1
        if start < end:
            yield start, end


def _matched(words: Sequence[Token]) -> dict[int, int]:
    """From each opening bracket to its closing one."""
    close: dict[int, int] = {}
    open_: list[int] = []
    for i, token in enumerate(words):
        if token.kind is not Kind.OPERATOR:
            continue
        if token.text in _PAIRS:
            open_.append(i)
            if len(open_) > DEEPEST:
                raise Unreadable(f"{token.place}: more than {DEEPEST} brackets within each other")
        elif token.text in (")", "]", "}"):
            if not open_ or _PAIRS[words[open_[-1]].text] != token.text:
                raise Unreadable(f"{token.place}: {token.text} closes nothing")
            close[open_.pop()] = i
    if open_:
        raise Unreadable(f"{words[open_[-1]].place}: {words[open_[-1]].text} is never closed")
    return close


def _attributes(words: Sequence[Token]) -> Iterator[Attribute]:
    """The attributes between double brackets, from the tokens between the brackets."""
    depth = start = 0
    for i in range(len(words) + 1):
        text = words[i].text if i < len(words) else ","
        if text in _PAIRS:
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
        elif text == "," and depth == 0:
            if start < i:
                yield _attribute(words[start:i])
            start = i + 1


def _attribute(words: Sequence[Token]) -> Attribute:
    texts = [word.text for word in words]
    cut = texts.index("(") if "(" in texts else len(texts)
    return Attribute("".join(texts[:cut]), tuple(texts[cut + 1 : -1]), words[0].place)
