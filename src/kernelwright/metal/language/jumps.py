"""Statements that end others: ``return``, ``break`` and ``continue``."""

from collections.abc import Sequence

from kernelwright.metal.language.grammar import Code
from kernelwright.metal.language.statements import Form, Statement, Unfit
from kernelwright.metal.language.stops import Stops


def escapes(code: Code, statement: Statement, in_loop: bool = False) -> bool:
    """Whether it may end something around it: ``return``, or a ``break`` or ``continue`` of a loop outside."""
    if statement.form is Form.SIMPLE:
        text = code.texts[statement.first]
        return text == "return" or (text in ("break", "continue") and not in_loop)
    if statement.form is Form.OPAQUE:
        words = code.texts[slice(*statement.where)]
        return "return" in words or (code.texts[statement.first] == "if" and ("break" in words or "continue" in words))
    in_loop = in_loop or statement.form in (Form.FOR, Form.WHILE)
    return any(escapes(code, part, in_loop) for part in statement.parts)


def with_tail(code: Code, statements: Sequence[Statement], stops: Stops) -> tuple[list[Statement], Statement | None]:
    """The statements, where those from the first one on that returns with no stop after it are one: the tail."""
    behind = max((n + 1 for n, statement in enumerate(statements) if stops.any(statement.where)), default=0)
    for n in range(behind, len(statements)):
        if escapes(code, statements[n]):
            first, last = statements[n].first, statements[-1].last
            for i in range(first, last):
                if code.texts[i] == "[" and not code.is_name(i - 1) and code.texts[i - 1] not in (")", "]"):
                    raise Unfit("a lambda beside a return")
            tail = Statement(Form.OPAQUE, first, last)
            return [*statements[:n], tail], tail
    return list(statements), None
