"""Number literals: ``1.0`` is a float in Metal, ``1.0h`` a half and ``1.0bf`` a bfloat (specification, 2.1)."""

import re
from collections.abc import Iterable

from kernelwright.metal.language.tokens import Kind, Token

_FLOATING = re.compile(
    r"""(?ix)
    (?P<value> 0x[0-9a-f']* (?:\.[0-9a-f']*)? p[+-]?[0-9]+    # hexadecimal, always with an exponent
             | (?!0x) [0-9']* (?:\.[0-9']*)? (?:e[+-]?[0-9]+)? )
    (?P<suffix> bf | [fhl]? )
    """
)


def translate_literals(tokens: Iterable[Token]) -> None:
    """Rewrites floating-point literals in place, so that C++ gives them the types that Metal does."""
    for token in tokens:
        if token.kind is Kind.NUMBER and (text := as_cpp(token.text)) != token.text:
            token.text = text


def as_cpp(literal: str) -> str:
    """One literal in C++; integers come back as they are.

    >>> as_cpp("0.5"), as_cpp("1e-3h"), as_cpp("2.0bf"), as_cpp("0xff"), as_cpp("7u")
    ('0.5f', '1e-3f16', 'bfloat(2.0f)', '0xff', '7u')
    """
    match = _FLOATING.fullmatch(literal)
    if match is None:
        return literal
    value, suffix = match["value"], match["suffix"].lower()
    fractional = "." in value or "e" in value.lower() or "p" in value.lower()
    if not fractional and suffix not in ("h", "bf"):
        return literal
    if not fractional:
        value += ".0"
    if suffix == "h":
        return value + "f16"
    return f"bfloat({value}f)" if suffix == "bf" else value + "f"
