"""The values of constant integer expressions, from their texts."""

import re
from collections.abc import Callable, Sequence

from kernelwright.metal.strict import types

_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)[uUlL]*")

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip
"""Operators that take two operands, weakest first."""

_MOST_PARTS = 200
_DEEPEST = 8
"""Sizes are short expressions; what is longer than this was written to be."""


class _Unknown(Exception):
    """Some part of the expression has no value that can be told from here."""


def evaluate(
    texts: Sequence[str],
    constant: Callable[[str], int | None],
    size: Callable[[tuple[str, ...]], int | None],
) -> int | None:
    """The value of an integer expression; ``None`` where a part of it is not known.

    ``constant`` gives the value of a name, ``size`` the bytes of a type. Braces around an initialiser are left out.
    Arithmetic is exact: a result beyond 64 bits is no value.
    """
    if texts[:1] == ("{",) and texts[-1:] == ("}",):
        texts = texts[1:-1]
    reader = _Expression(_joined(texts), constant, size)
    try:
        value = reader.ternary()
    except _Unknown:
        return None
    return value if reader.done and -(1 << 63) <= value < 1 << 64 else None


def _joined(texts: Sequence[str]) -> list[str]:
    """With ``>`` ``>`` as one shift: a template list cannot end twice in a row inside an expression we can read."""
    joined: list[str] = []
    for text in texts:
        if text == ">" and joined[-1:] == [">"]:
            joined[-1] = ">>"
        else:
            joined.append(text)
    return joined


class _Expression:
    def __init__(
        self,
        texts: list[str],
        constant: Callable[[str], int | None],
        size: Callable[[tuple[str, ...]], int | None],
    ):
        self.texts, self.constant, self.size = texts, constant, size
        self.at = self.parts = self.nesting = 0

    @property
    def done(self) -> bool:
        return self.at == len(self.texts)

    def peek(self) -> str:
        return "" if self.done else self.texts[self.at]

    def take(self, text: str = "") -> str:
        found = self.peek()
        if not found or (text and found != text):
            raise _Unknown
        self.at += 1
        return found

    def ternary(self) -> int:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take("?")
        yes = self.ternary()
        self.take(":")
        no = self.ternary()
        return yes if condition else no

    def binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self.unary()
        value = self.binary(level + 1)
        while self.peek() in _LEVELS[level]:
            value = _apply(self.take(), value, self.binary(level + 1))
        return value

    def unary(self) -> int:
        match self.peek():
            case "-":
                self.take()
                return -self.primary()
            case "!":
                self.take()
                return int(not self.primary())
            case _:
                return self.primary()

    def primary(self) -> int:
        self.parts += 1
        if self.parts > _MOST_PARTS or self.nesting > _DEEPEST:
            raise _Unknown
        text = self.take()
        if text == "(":
            self.nesting += 1
            value = self.ternary()
            self.nesting -= 1
            self.take(")")
            return value
        if text == "sizeof":
            return self.known(self.size(self.parenthesised("(", ")")))
        if text == "static_cast":
            if types.canonical(self.parenthesised("<", ">")) not in types.INTEGERS:
                raise _Unknown
            return self.primary()
        if text in ("true", "false"):
            return int(text == "true")
        if match := _NUMBER.fullmatch(text.replace("'", "")):
            digits = match.group(1)
            octal = digits[0] == "0" and digits.isdigit() and len(digits) > 1
            return int(digits, 8) if octal and set(digits) <= set("01234567") else int(digits, 0 if not octal else 10)
        if self.peek() == "(" and types.canonical((text,)) in types.INTEGERS:
            return self.primary()
        if not text.isidentifier() or self.peek() in ("(", "[", ".", "->", "::", "{"):
            raise _Unknown
        return self.known(self.constant(text))

    def parenthesised(self, opening: str, closing: str) -> tuple[str, ...]:
        self.take(opening)
        words: list[str] = []
        depth = 1
        while depth:
            words.append(self.take())
            depth += (words[-1] == opening) - (words[-1] == closing)
        return tuple(words[:-1])

    @staticmethod
    def known(value: int | None) -> int:
        if value is None:
            raise _Unknown
        return value


def _apply(operator: str, a: int, b: int) -> int:
    if operator in ("/", "%"):
        if b == 0:
            raise _Unknown
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if operator == "/" else a - b * quotient
    if operator in ("<<", ">>") and not 0 <= b < 64:
        raise _Unknown
    results: dict[str, Callable[[int, int], int]] = {
        "||": lambda x, y: int(bool(x) or bool(y)), "&&": lambda x, y: int(bool(x) and bool(y)),
        "|": int.__or__, "^": int.__xor__, "&": int.__and__,
        "==": lambda x, y: int(x == y), "!=": lambda x, y: int(x != y),
        "<": lambda x, y: int(x < y), ">": lambda x, y: int(x > y),
        "<=": lambda x, y: int(x <= y), ">=": lambda x, y: int(x >= y),
        "<<": int.__lshift__, ">>": int.__rshift__, "+": int.__add__, "-": int.__sub__, "*": int.__mul__,
    }  # fmt: skip
    return results[operator](a, b)
