"""Loops in which each thread goes in equal steps up to a common limit: ``for (uint i = t; i < n; i += threads)``.

In lockstep all threads of a SIMD-group do one round before the next one begins: neighbouring threads then touch
neighbouring elements at the same time, in vector code.
"""

from dataclasses import dataclass

from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.jumps import escapes
from kernelwright.metal.language.locals import Level, Locals, Sort
from kernelwright.metal.language.statements import Form, Statement
from kernelwright.metal.language.uniformity import Uniformity

_COUNTS = frozenset({"int", "uint", "long", "ulong", "size_t", "int32_t", "uint32_t"})
"""Types of loop variables: of at least 32 bits, so that they do not overflow before the limit."""

_UNKNOWN_STEPS = frozenset({"-", "/", "%", "[", "->", "?"})
"""What may go down, or must not be computed where no round is done."""


@dataclass(frozen=True)
class Stride:
    """Such a loop."""

    type: str
    name: str
    start: Range
    limit: Range
    inclusive: bool
    step: Range
    """Empty: 1."""
    body: Statement


def stride_of(code: Code, locals_: Locals, uniformity: Uniformity, statement: Statement) -> Stride | None:
    """The statement as such a loop, if it is one."""
    if statement.form is not Form.FOR or statement.start is None:
        return None
    declaration = locals_.declarations.get(statement.start)
    if declaration is None or len(declaration.declarators) != 1:
        return None
    (declarator,) = declaration.declarators
    variable = declarator.variable
    type_ = [word for word in code.texts[slice(*declaration.type)] if word != "thread"]
    first, last = declarator.initialiser
    if len(type_) != 1 or type_[0] not in _COUNTS or variable.sort is not Sort.VALUE or code.text(first - 1) != "=":
        return None
    start, body = (first, last), statement.parts[0]
    condition, step = statement.condition, _step(code, statement.step, variable.name)
    if (
        locals_.mentions.get(condition[0]) is not variable
        or code.text(condition[0] + 1) not in ("<", "<=")
        or step is None
    ):
        return None
    limit = (condition[0] + 2, condition[1])
    if any(code.texts[i] in ("&&", "||", "?", ",", "<", ">", "==", "&", "|", "^") for i in code.outer(*limit)):
        return None
    if max(uniformity.level(limit), uniformity.level(step)) > Level.SIMD or not _UNKNOWN_STEPS.isdisjoint(
        code.texts[slice(*step)]
    ):
        return None
    if not uniformity.is_pure(start) or not uniformity.is_pure(limit) or not uniformity.is_pure(step):
        return None
    changed = locals_.modified(*body.where)
    fixed = locals_.mentioned(*start) | locals_.mentioned(*limit) | locals_.mentioned(*step) | {variable}
    if changed & fixed or variable in locals_.mentioned(*limit) | locals_.mentioned(*step):
        return None
    if any(part.form in (Form.FOR, Form.WHILE, Form.OPAQUE) for part in body.every()) or escapes(code, body):
        return None
    return Stride(type_[0], variable.name, start, limit, code.texts[condition[0] + 1] == "<=", step, body)


def _step(code: Code, where: Range, name: str) -> Range | None:
    first, last = where
    words = code.texts[first:last]
    if words in ([name, "++"], ["++", name]):
        return last, last
    if words[:2] == [name, "+="] and len(code.split(first, last)) == 1:
        return first + 2, last
    return None
