"""Integer constants that the translation itself has to know: the ``n`` of ``[[buffer(n)]]``.

Programs share such numbers with their host code as enumerators or constants.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence

from kernelwright.metal.language.grammar import Code
from kernelwright.metal.language.tokens import Kind

_LITERAL = re.compile(r"(?i)(0x[0-9a-f']+|0b[01']+|[0-9][0-9']*)[ul]*")
_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "<<": operator.lshift, "|": operator.or_,
}  # fmt: skip
_INTEGERS = frozenset({"int", "uint", "short", "ushort", "long", "ulong", "size_t", "unsigned"})
_RANK = {"|": 0, "<<": 1, "+": 2, "-": 2, "*": 3}


def named_integers(code: Code) -> dict[str, int]:
    """Enumerators and integer constants with their values; what cannot be computed from the tokens is left out."""
    known: dict[str, int] = {}
    for i, text in enumerate(code.texts):
        if text == "enum":
            _enumerators(code, i, known)
        elif text == "=" and code.is_name(i - 1) and code.text(i - 2) in _INTEGERS:
            end = i + 1
            while end < len(code) and code.texts[end] not in (";", ",", "}", ")"):
                end += 1
            if (value := evaluate(code.texts[i + 1 : end], known)) is not None:
                known.setdefault(code.texts[i - 1], value)
    return known


def evaluate(texts: Sequence[str], known: Mapping[str, int]) -> int | None:
    """The value of an integer expression of literals, known names, ``+ - * << |`` and parentheses, else ``None``."""
    values: list[int] = []
    waiting: list[str] = []

    def reduce_to(rank: int) -> None:
        while waiting and waiting[-1] != "(" and _RANK[waiting[-1]] >= rank:
            right, left = values.pop(), values.pop()
            values.append(_BINARY[waiting.pop()](left, right))

    operand = True
    for text in _unqualified(texts):
        if operand and text == "(":
            waiting.append(text)
        elif operand and (value := _value(text, known)) is not None:
            values.append(value)
            operand = False
        elif not operand and text in _RANK:
            reduce_to(_RANK[text])
            waiting.append(text)
            operand = True
        elif not operand and text == ")" and "(" in waiting:
            reduce_to(0)
            waiting.pop()
        else:
            return None
    if operand or "(" in waiting:
        return None
    reduce_to(0)
    return values[0]


def _unqualified(texts: Sequence[str]) -> list[str]:
    """``Enum::name`` as ``name``."""
    return [text for i, text in enumerate(texts) if text != "::" and tuple(texts[i + 1 : i + 2]) != ("::",)]


def _value(text: str, known: Mapping[str, int]) -> int | None:
    if match := _LITERAL.fullmatch(text):
        digits = match[1].replace("'", "")
        return int(digits, 8) if re.fullmatch("0[0-7]+", digits) else int(digits, 0)
    return known.get(text)


def _enumerators(code: Code, i: int, known: dict[str, int]) -> None:
    """Reads the enumerators of the ``enum`` at ``i``."""
    while i < len(code) and code.texts[i] not in ("{", ";", "("):
        i += 1
    if code.text(i) != "{":
        return
    following: int | None = 0
    for first, last in code.split(i + 1, code.match[i]):
        if first == last or code.tokens[first].kind is not Kind.IDENTIFIER:
            continue
        if code.text(first + 1) == "=" and first + 1 < last:
            following = evaluate(code.texts[first + 2 : last], known)
        if following is not None:
            known.setdefault(code.texts[first], following)
            following += 1
