"""Integer literals as an answer of the conditional operator: ``c ? x : 0``.

In Metal the ``0`` takes the type of ``x``, also where that is a bfloat, which here is a class. C++ then sees two types
that convert to each other and refuses. So in programs with bfloats the literal is given its type explicitly:
``c ? x : decltype(kw::beside((x)))(0)``, which beside everything else is an int, as before.
"""

import re

from kernelwright.metal.language.grammar import Code, Range

_INTEGER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]+")
_ENDS = frozenset({",", ";", ")", "]", "}", ":"})


def translate_choices(code: Code) -> None:
    """Gives the type of the other answer to integer literals beside one that is none."""
    if "bfloat" not in code.texts:
        return
    for i in reversed(range(len(code))):  # an answer that is copied may contain others
        rewritten = code.tokens[i].text != code.texts[i]  # as part of something larger: a size in which all is int
        if code.texts[i] == "?" and not rewritten and (colon := _colon(code, i)) is not None:
            first, second = (i + 1, colon), (colon + 1, _end(code, colon + 1))
            if _is_literal(code, first) and not _is_literal(code, second):
                _give_type(code, first, second)
            elif _is_literal(code, second) and not _is_literal(code, first):
                _give_type(code, second, first)


def _give_type(code: Code, literal: Range, other: Range) -> None:
    value = code.spelled(*literal)
    code.erase(*literal)
    code.tokens[literal[0]].text = f"decltype(kw::beside(({code.edited(*other)})))({value})"


def _colon(code: Code, i: int) -> int | None:
    """The ``:`` that belongs to the ``?`` at ``i``."""
    nested = 0
    while (i := i + 1) < len(code):
        text = code.texts[i]
        if text in ("(", "[", "{"):
            i = code.match[i]
        elif text == "?":
            nested += 1
        elif text == ":":
            if nested == 0:
                return i
            nested -= 1
        elif text in (")", "]", "}", ";"):
            return None
    return None


def _end(code: Code, i: int) -> int:
    """Behind the last answer, which begins at ``i``."""
    nested = 0
    while i < len(code) and (code.texts[i] not in _ENDS or (nested and code.texts[i] == ":")):
        nested += {"?": 1, ":": -1}.get(code.texts[i], 0)
        i = (code.match[i] if code.texts[i] in ("(", "[", "{") else i) + 1
    return i


def _is_literal(code: Code, answer: Range) -> bool:
    first, last = answer
    return last - first == 1 + (code.texts[first] == "-") and bool(_INTEGER.fullmatch(code.texts[last - 1]))
