"""Statements of a function body as a tree, as far as running a kernel in lockstep needs it (see ``lockstep.py``)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from kernelwright.metal.language.grammar import Code, Range


class Unfit(Exception):
    """The kernel has something that lockstep does not know; it runs on fibers."""


class Form(Enum):
    """What a statement is."""

    SIMPLE = "simple"
    """An expression, a declaration or a jump, with its ``;``."""
    BLOCK = "block"
    IF = "if"
    FOR = "for"
    WHILE = "while"
    OPAQUE = "opaque"
    """Not looked into: ``switch``, ``do``, a range ``for``, an ``if`` with an initialiser."""


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement, at positions ``first <= i < last``."""

    form: Form
    first: int
    last: int
    parts: tuple["Statement", ...] = ()
    """Of a block its statements, of an ``if`` its branches, of a loop its body."""
    condition: Range = (0, 0)
    start: "Statement | None" = None
    """The first part of a ``for``, with its ``;``."""
    step: Range = (0, 0)

    @property
    def where(self) -> Range:
        return self.first, self.last

    def every(self) -> Iterator["Statement"]:
        """This one and all inside it, in their order."""
        yield self
        if self.start is not None:
            yield self.start
        for part in self.parts:
            yield from part.every()


_UNKNOWN = frozenset({"goto", "try", "asm", "__asm__", "case", "default", "struct", "class", "union", "enum"})
_TYPE_NAMES = frozenset({"typedef", "using", "static_assert"})


def parse_block(code: Code, first: int, last: int) -> tuple[Statement, ...]:
    """The statements between two positions. Raises ``Unfit``."""
    found: list[Statement] = []
    while first < last:
        found.append(parse(code, first, last))
        first = found[-1].last
    return tuple(found)


def parse(code: Code, i: int, last: int) -> Statement:
    """The statement that begins at ``i``. Raises ``Unfit``."""
    text = code.text(i)
    if text in _UNKNOWN or text == "[" or code.text(i + 1) == ":":  # attributes, labels
        raise Unfit(f"a statement that begins with {text!r}")
    if text == "{":
        end = code.match[i] + 1
        return Statement(Form.BLOCK, i, end, parse_block(code, i + 1, end - 1))
    if text == "if":
        return _if(code, i, last)
    if text == "for":
        return _for(code, i, last)
    if text == "while":
        close = code.match[i + 1]
        body = parse(code, close + 1, last)
        return Statement(Form.WHILE, i, body.last, (body,), (i + 2, close))
    if text == "switch":
        return Statement(Form.OPAQUE, i, _behind_switch(code, i))
    if text == "do":
        body = parse(code, i + 1, last)
        return Statement(Form.OPAQUE, i, _behind(code, body.last, last))
    return Statement(Form.SIMPLE, i, _behind(code, i, last))


def is_type_name(code: Code, statement: Statement) -> bool:
    """Whether it makes names for the compiler alone, and no code."""
    return code.text(statement.first) in _TYPE_NAMES


def _behind_switch(code: Code, i: int) -> int:
    opening = code.match[i + 1] + 1
    if code.text(opening) != "{":
        raise Unfit("a switch without braces")
    return code.match[opening] + 1


def _behind(code: Code, i: int, last: int) -> int:
    """Behind the next ``;`` outside of brackets."""
    while i < last and code.texts[i] != ";":
        i = (code.match[i] if code.texts[i] in ("(", "[", "{") else i) + 1
    if i >= last:
        raise Unfit("a statement without an end")
    return i + 1


def _if(code: Code, i: int, last: int) -> Statement:
    opening = i + 1 + (code.text(i + 1) == "constexpr")
    if code.text(opening) != "(":
        raise Unfit("an if without a condition")
    close = code.match[opening]
    then = parse(code, close + 1, last)
    parts = (then,)
    if code.text(then.last) == "else":
        parts = (then, parse(code, then.last + 1, last))
    if ";" in code.texts[opening:close]:
        return Statement(Form.OPAQUE, i, parts[-1].last)
    return Statement(Form.IF, i, parts[-1].last, parts, (opening + 1, close))


def _for(code: Code, i: int, last: int) -> Statement:
    close = code.match[i + 1]
    ends = [at for at in code.outer(i + 2, close) if code.texts[at] == ";"]
    body = parse(code, close + 1, last)
    if len(ends) != 2:
        return Statement(Form.OPAQUE, i, body.last)
    start = Statement(Form.SIMPLE, i + 2, ends[0] + 1)
    return Statement(Form.FOR, i, body.last, (body,), (ends[0] + 1, ends[1]), start, (ends[1] + 1, close))
