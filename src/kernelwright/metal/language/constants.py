"""Function constants: values that the host chooses when it asks for a kernel."""

import math
from collections.abc import Mapping

from kernelwright.metal.language.attributes import Attributes
from kernelwright.metal.language.declarations import SPACES
from kernelwright.metal.language.grammar import Code, spell
from kernelwright.metal.language.integers import evaluate

Value = bool | int | float
_SPECIFIERS = frozenset({"const", "static", "constexpr", "inline"}) | SPACES


def translate_constants(
    attributes: Attributes, constants: Mapping[str | int, Value], integers: Mapping[str, int]
) -> None:
    """Gives every function constant its value, found by name or by index; zero where none is given.

    ``is_function_constant_defined(x)`` becomes the constant ``kw_defined_x``. Raises ``ValueError`` for a value whose
    constant the program does not have.
    """
    code = attributes.code
    unused = set(constants)
    for gap, found in attributes.by_gap.items():
        for attribute in found:
            # on arguments of kernels the same word says under which condition they exist
            if attribute.name != "function_constant" or code.text(gap) != ";" or code.enclosing[gap] != code.brace(gap):
                continue
            name = code.texts[gap - 1]
            keys = (name, evaluate(attribute.arguments, integers))
            given = next((constants[key] for key in keys if key is not None and key in constants), None)
            unused -= set(keys)
            _define(code, gap - 1, given)
    if unused:
        raise ValueError(f"the program has no function constant {', '.join(map(repr, sorted(unused, key=str)))}")
    _translate_queries(code)


def _define(code: Code, name: int, value: Value | None) -> None:
    """Rewrites the declaration whose name stands at ``name``."""
    start = name
    while start > 0 and code.texts[start - 1] not in (";", "{", "}"):
        start -= 1
    type_ = spell(text for text in code.texts[start:name] if text not in _SPECIFIERS)
    called = code.texts[name]
    given = "false" if value is None else "true"
    code.erase(start, name + 1)
    code.tokens[start].text = (
        f"static constexpr bool kw_defined_{called} = {given}; "
        f"static constexpr const {type_} {called} = static_cast<{type_}>({_literal(value)})"
    )


def _literal(value: Value | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value!r}f" if math.isfinite(value) else f"__builtin_bit_cast(float, {_bits(value)}u)"
    return "0" if value is None else str(value)


def _bits(value: float) -> int:
    """An infinity or NaN in single precision."""
    if math.isnan(value):
        return 0x7FC00000
    return 0x7F800000 if value > 0 else 0xFF800000


def _translate_queries(code: Code) -> None:
    for i, text in enumerate(code.texts):
        if text == "is_function_constant_defined" and code.text(i + 1) == "(":
            close = code.match[i + 1]
            code.erase(i, i + 2)
            code.erase(close, close + 1)
            code.tokens[close - 1].text = f"kw_defined_{code.texts[close - 1]}"
