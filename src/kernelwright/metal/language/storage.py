"""Variables in threadgroup memory: ``threadgroup float tile[32][33];`` inside functions (specification, 4.4).

They become ``KW_THREADGROUP(float, [32][33], tile);``, which finds the memory that the threads of a group share.
Pointers and references to threadgroup memory are ordinary variables and stay.
"""

from dataclasses import dataclass

from kernelwright.metal.language.declarations import SPACES
from kernelwright.metal.language.grammar import Code, Range

_SPECIFIERS = frozenset({"const", "volatile", "static", "constexpr"}) | SPACES
_ENDS_NAME = frozenset({"[", ";", ",", "=", "{"})
_POINTS = frozenset({"*", "&", "&&", "("})


@dataclass(frozen=True)
class _Variables:
    """One declaration statement."""

    start: int
    end: int
    """The ``;``."""
    type: Range
    declarators: Range


def translate_storage(code: Code, bodies: list[Range]) -> None:
    """Rewrites the threadgroup variables in these function bodies."""
    for first, last in bodies:
        for i in range(first, last):
            if code.texts[i] == "threadgroup" and (found := _variables(code, i)):
                _translate(code, found)


def _variables(code: Code, i: int) -> _Variables | None:
    """The declaration that the word ``threadgroup`` at ``i`` belongs to, if it declares storage."""
    if code.enclosing[i] != code.brace(i):
        return None
    start = i
    while (before := _specifier_before(code, start)) >= 0:
        start = before
    if code.text(start - 1) not in (";", "{", "}", ":"):
        return None
    type_ = i + 1
    while code.text(type_) in _SPECIFIERS or code.text(type_) == "alignas":
        type_ = code.match[type_ + 1] + 1 if code.texts[type_] == "alignas" else type_ + 1
    end = type_
    while end < len(code) and code.texts[end] != ";":
        end = (code.match[end] if code.texts[end] in ("(", "[", "{") else end) + 1
    for j in code.outer(type_, end + 1):
        if code.texts[j] in _POINTS and code.text(j - 1) != "decltype":
            return None
        if code.texts[j] in _ENDS_NAME:
            # without a name this is a declaration of something else
            return _Variables(start, end, (type_, j - 1), (j - 1, end)) if j - 1 > type_ else None
    return None


def _specifier_before(code: Code, i: int) -> int:
    """Start of the specifier that ends just before ``i``; -1: something else stands there."""
    if code.text(i - 1) in _SPECIFIERS:
        return i - 1
    if code.text(i - 1) == ")" and code.text(code.match[i - 1] - 1) == "alignas":
        return code.match[i - 1] - 1
    return -1


def _translate(code: Code, found: _Variables) -> None:
    type_ = " ".join(token.text for token in code.tokens[slice(*found.type)] if token.text not in SPACES)
    if "volatile" in code.texts[found.start : found.type[0]]:
        type_ = f"volatile {type_}"
    if "," in type_:  # which a macro would take for several arguments
        type_ = f"KW_TYPE({type_})"
    written = [
        f"KW_THREADGROUP({type_}, {_dimensions(code, first + 1, last)}, {code.texts[first]});"
        for first, last in code.split(*found.declarators)
    ]
    code.erase(found.start, found.end + 1)
    code.tokens[found.start].text = " ".join(written)


def _dimensions(code: Code, i: int, last: int) -> str:
    """``[32][(a<1, 2>::value)]``; an initialiser, which threadgroup memory cannot have, is dropped."""
    written = ""
    while i < last and code.texts[i] == "[":
        size = code.edited(i + 1, code.match[i])
        written += f"[({size})]" if "," in size else f"[{size}]"
        i = code.match[i] + 1
    return written
