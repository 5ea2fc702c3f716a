"""Brackets, template lists and parameters: the little grammar that translation needs, over meaningful tokens.

A *position* counts meaningful tokens. What a token said when it was parsed stays in ``Code.texts``; edits go to the
tokens, so the order of edits does not matter.
"""

from collections.abc import Iterable, Iterator

from kernelwright.metal.language.tokens import Kind, Place, SourceError, Token

_CLOSER = {"(": ")", "[": "]", "{": "}"}
_OPENER = {close: start for start, close in _CLOSER.items()}
_NO_SPACE_BEFORE = frozenset({"::", "<", ">", ",", "*", "&", "&&", "(", ")", "[", "]", ";", "."})
_NO_SPACE_AFTER = frozenset({"::", "<", "(", "[", "~", "!", ".", "-", "+"})

Range = tuple[int, int]
"""Positions ``first <= i < last``."""


class Code:
    """The meaningful tokens of a program and how their brackets match. Raises ``SourceError`` when they do not."""

    def __init__(self, tokens: Iterable[Token]):
        self.tokens = [token for token in tokens if token.meaningful and token.text]
        self.texts = [token.text for token in self.tokens]
        self.match = [-1] * len(self.tokens)
        """For each bracket, the position of its partner."""
        self.enclosing = [-1] * len(self.tokens)
        """For each token, the position of the innermost bracket that is open around it; -1: none. A bracket itself
        stands outside."""
        self._match_brackets()

    def _match_brackets(self) -> None:
        open_: list[int] = []
        for i, text in enumerate(self.texts):
            if text in _OPENER:
                if not open_ or self.texts[open_[-1]] != _OPENER[text]:
                    raise SourceError(f"{text!r} closes nothing", self.tokens[i].place)
                start = open_.pop()
                self.match[start], self.match[i] = i, start
            self.enclosing[i] = open_[-1] if open_ else -1
            if text in _CLOSER:
                open_.append(i)
        if open_:
            raise SourceError(f"{self.texts[open_[-1]]!r} is never closed", self.tokens[open_[-1]].place)

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, i: int) -> str:
        """What the token at ``i`` says; empty outside the program."""
        return self.texts[i] if 0 <= i < len(self.texts) else ""

    def is_name(self, i: int) -> bool:
        """Whether an identifier or keyword stands at ``i``."""
        return 0 <= i < len(self.tokens) and self.tokens[i].kind is Kind.IDENTIFIER

    def place(self, i: int) -> Place:
        return self.tokens[i].place

    def error(self, message: str, i: int) -> SourceError:
        """A ``SourceError`` at position ``i``, to be raised by the caller."""
        return SourceError(message, self.tokens[min(i, len(self.tokens) - 1)].place)

    def brace(self, i: int) -> int:
        """The innermost ``{`` that is open at ``i``; -1 at file level."""
        i = self.enclosing[i]
        while i >= 0 and self.texts[i] != "{":
            i = self.enclosing[i]
        return i

    def _opens_list(self, i: int, numbers: bool) -> bool:
        """Whether ``<`` at ``i`` can open a template list. ``numbers``: ``N < 8`` may be one too."""
        if not self.is_name(i - 1) or self.texts[i - 1] == "operator":
            return False
        return numbers or i + 1 == len(self.tokens) or self.tokens[i + 1].kind is not Kind.NUMBER

    def angle_close(self, i: int, last: int | None = None) -> int | None:
        """The ``>`` that closes the template list opened by ``<`` at ``i``; ``None``: it was a comparison."""
        last = len(self.texts) if last is None else last
        close = self._angle_close(i, last, numbers=True)
        return self._angle_close(i, last, numbers=False) if close is None else close

    def _angle_close(self, i: int, last: int, numbers: bool) -> int | None:
        depth = 0
        while i < last:
            text = self.texts[i]
            if text in _CLOSER:
                i = self.match[i]
            elif text == "<":
                depth += self._opens_list(i, numbers)
                if depth == 0:
                    return None
            elif text == ">":
                depth -= 1
                if depth == 0:
                    return i
            elif text == ";" or text in _OPENER:
                return None
            i += 1
        return None

    def angle_open(self, i: int, first: int = 0) -> int | None:
        """The ``<`` that opens the template list closed by ``>`` at ``i``."""
        depth = 0
        while i >= first:
            text = self.texts[i]
            if text in _OPENER:
                i = self.match[i]
            elif text == ">":
                depth += 1
            elif text == "<" and self._opens_list(i, numbers=True):
                depth -= 1
                if depth == 0:
                    return i
            elif text == ";" or text in _CLOSER:
                return None
            i -= 1
        return None

    def outer(self, first: int, last: int) -> Iterator[int]:
        """Positions between ``first`` and ``last`` outside every bracket and template list in between.

        The brackets and ``<`` themselves are among them, what they contain and their partners are not.
        """
        i = first
        while i < last:
            yield i
            if self.texts[i] in _CLOSER:
                i = self.match[i]
            elif self.texts[i] == "<" and (close := self.angle_close(i, last)) is not None:
                i = close
            i += 1

    def split(self, first: int, last: int) -> list[Range]:
        """The ranges between the commas that stand outside every bracket; none for an empty range."""
        commas = [i for i in self.outer(first, last) if self.texts[i] == ","]
        starts = [first, *(i + 1 for i in commas)]
        return [] if first == last else list(zip(starts, [*commas, last], strict=True))

    def spelled(self, first: int, last: int) -> str:
        """The range as one line of source, spaced as people do it."""
        return spell(self.texts[first:last])

    def edited(self, first: int, last: int) -> str:
        """The range as it stands after the edits so far, on one line."""
        return " ".join(token.text for token in self.tokens[first:last] if token.text)

    def erase(self, first: int, last: int) -> None:
        """Takes the tokens out of the program; ends of lines between them stay."""
        for token in self.tokens[first:last]:
            token.text = ""

    def append(self, i: int, text: str) -> None:
        """Puts text behind the token at ``i``, on its line."""
        self.tokens[i].text += text


def spell(texts: Iterable[str]) -> str:
    """Tokens as one line of source: ``device const float*``, ``foo<half, 4>``."""
    line, before = "", ""
    for text in texts:
        if line and text not in _NO_SPACE_BEFORE and before not in _NO_SPACE_AFTER:
            line += " "
        line += text
        before = text
    return line
