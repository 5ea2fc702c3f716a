"""What Apple's Metal compiler rejects must not pass silently here.

``check`` looks at the tokens of a program before it is translated: address spaces, limits of arguments and memory, and
what Metal leaves out of C++ would all be lost on the way to C++. ``explain`` puts the C++ compiler's own errors into
the user's terms. ``check_launch`` knows the limits of a dispatch. What is checked, and what cannot be, is listed in
``docs/metal-strictness.md``.
"""

from collections.abc import Iterable, Sequence

from kernelwright.metal.contract import Diagnostic
from kernelwright.metal.language.tokens import Kind, Token
from kernelwright.metal.strict import conversions, kernels, library, spaces, unsupported, words, writes
from kernelwright.metal.strict.explain import explain
from kernelwright.metal.strict.launch import check_launch
from kernelwright.metal.strict.reader import read
from kernelwright.metal.strict.rules import LANGUAGE_VERSION, broken
from kernelwright.metal.strict.stream import Unreadable

__all__ = ["RULE_MODULES", "check", "check_launch", "explain"]

RULE_MODULES = (words, spaces, writes, conversions, kernels, library, unsupported)
"""They register their rules when they are imported."""


def check(tokens: Sequence[Token], *, version: int = LANGUAGE_VERSION) -> tuple[Diagnostic, ...]:
    """Every place of a preprocessed program that breaks a rule of Metal, in the order of the text.

    ``version``: ``__METAL_VERSION__`` of the language, 320 for Metal 3.2; older ones lack recursion and lambdas.
    Raises nothing: a program whose brackets do not match is left to the compiler, which says where better.
    """
    try:
        program = read(tokens)
    except Unreadable:
        return ()
    found = broken(program, version)
    if not found:
        return ()
    lines = _lines(tokens, {(p.file, p.line) for p in (finding.where(program) for _, finding in found)})
    diagnostics: list[Diagnostic] = []
    for rule, finding in found:
        place = finding.where(program)
        text = lines.get((place.file, place.line), "").rstrip()
        diagnostics.append(Diagnostic(rule.severity, finding.message, place, rule.section, text))
    return tuple(diagnostics)


def _lines(tokens: Iterable[Token], wanted: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The texts of some lines, as the preprocessor left them."""
    lines: dict[tuple[str, int], str] = {}
    for token in tokens:
        at = (token.place.file, token.place.line)
        if at in wanted and token.kind not in (Kind.NEWLINE, Kind.DIRECTIVE):
            lines[at] = lines.get(at, "") + token.text.split("\n")[0]
    return lines
