"""Address spaces, which C++ does not have: ``constant`` becomes ``const``, the others vanish (specification, 4).

Programs overload functions and specialise templates on the address space alone. Without it they would be defined
twice, so the first one stays and the others are switched off: a function gets a condition that is never met, a
specialisation is taken out. What tells them apart in practice is the memory they work on, not what they compute; a
program that asks a template *which* address space it was given gets the answer of the first one.
"""

from collections.abc import Iterable

from kernelwright.metal.language.declarations import SPACES, Class, Declaration, Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.kernels import parameter_name
from kernelwright.metal.language.tokens import Kind

Spaces = tuple[str, ...]
Signature = tuple[object, ...]
_TRAILING = frozenset({"const", "volatile", "noexcept"}) | SPACES


def translate_addresses(code: Code, declared: Iterable[Declaration]) -> None:
    """Takes the address spaces out and switches off what differed by nothing else."""
    for i, token in enumerate(code.tokens):
        if token.text in SPACES and token.kind is Kind.IDENTIFIER:
            already = "const" in (code.text(i - 1), code.text(i + 1))
            token.text = "const" if token.text == "constant" and not already else ""
        elif token.text == "coherent":
            code.erase(i, i + 4 if code.text(i + 1) == "(" else i + 1)  # coherent(device)
    seen: dict[Signature, list[Spaces]] = {}
    for declaration in declared:
        if isinstance(declaration, Function):
            _overload(code, declaration, seen)
        elif isinstance(declaration, Class):
            _specialisation(code, declaration, seen)


def _overload(code: Code, function: Function, seen: dict[Signature, list[Spaces]]) -> None:
    behind = function.close + 1
    while code.text(behind) in _TRAILING:
        behind += 1
    trailing = range(function.close + 1, behind)
    constructor = code.texts[function.name] == function.owner
    if constructor:  # which no const can follow
        for i in trailing:
            code.tokens[i].text = ""
    constant = not constructor and any(code.texts[i] in ("const", "constant") for i in trailing)
    parameters = tuple(
        _without_spaces(code, where, parameter_name(code, where))
        for where in code.split(function.open + 1, function.close)
    )
    header = _without_spaces(code, (function.start, function.open))
    spaces = _spaces(code, function.start, behind)
    number = _number(seen, ("function", function.scope, header, parameters, constant), spaces)
    if number:
        last = function.end - 1 if code.text(behind) == "->" else behind - 1
        code.append(last, f' __attribute__((enable_if({number} < 0, "an overload for another address space")))')


def _specialisation(code: Code, class_: Class, seen: dict[Signature, list[Spaces]]) -> None:
    signature = ("class", class_.scope, _without_spaces(code, (class_.start, class_.end)))
    if _number(seen, signature, _spaces(code, class_.start, class_.end)):
        end = code.match[class_.end] + 1
        code.erase(class_.start, end + (code.text(end) == ";"))


def _number(seen: dict[Signature, list[Spaces]], signature: Signature, spaces: Spaces) -> int:
    """How many other address spaces had this signature before: 0 for the first one and its redeclarations."""
    known = seen.setdefault(signature, [])
    if spaces not in known:
        known.append(spaces)
    return known.index(spaces)


def _spaces(code: Code, first: int, last: int) -> Spaces:
    return tuple(text for text in code.texts[first:last] if text in SPACES)


def _without_spaces(code: Code, where: Range, name: int = -1) -> tuple[str, ...]:
    """What C++ will see of a declarator: no address space, ``const`` first in each level, no name, no default."""
    levels: list[list[str]] = [[]]
    for i in range(*where):
        text = code.texts[i]
        if text == "=" and name >= 0:
            break
        if i == name:
            continue
        if text in ("*", "&", "&&", "<", ">", ",", "("):
            levels += [[text], []]
        elif text in ("const", "constant"):
            levels[-1] = ["const", *(word for word in levels[-1] if word != "const")]
        elif text not in SPACES:
            levels[-1].append(text)
    return tuple(text for level in levels for text in level)
