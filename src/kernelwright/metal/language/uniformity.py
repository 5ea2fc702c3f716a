"""For whom an expression has the same value: all threads of a threadgroup, of a SIMD-group, or each its own."""

from collections.abc import Sequence

from kernelwright.metal.language.declarations import Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.locals import ASSIGNMENTS, Level, Locals, Sort
from kernelwright.metal.language.stops import Answer, Call, Stops, reached

_TYPES = frozenset(
    f"{name}{count}"
    for name in ("bool", "char", "uchar", "short", "ushort", "int", "uint", "long", "ulong", "half", "float", "bfloat")
    for count in ("", "2", "3", "4")
) | {"size_t", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "ptrdiff_t"}
PURE = _TYPES | {
    "sizeof", "alignof", "static_cast", "as_type", "min", "max", "abs", "clamp", "select", "fmin", "fmax", "fabs",
    "floor", "ceil", "round", "rint", "trunc", "sqrt", "rsqrt", "exp", "exp2", "log", "log2", "fma", "pow", "powr",
    "sin", "cos", "tanh", "popcount", "clz", "ctz", "mulhi", "mad24", "sign", "saturate", "mix", "dot", "any", "all",
    "isnan", "isinf", "decltype",
}  # fmt: skip
"""What may be called without anything but a value coming of it."""


class Uniformity:
    """Levels of expressions, from those of the variables as they are known so far."""

    def __init__(self, code: Code, body: Range, locals_: Locals, stops: Stops, functions: Sequence[Function]):
        self._code = code
        called = {code.texts[i] for i in range(*body) if code.text(i + 1) in ("(", "<")}
        own: dict[str, bool] = {}
        for function in functions:
            name = code.texts[function.name]
            if name not in called:
                continue
            own[name] = own.get(name, True) and _takes_numbers(code, function, functions)
        self._pure = PURE.difference(own) | {name for name, pure in own.items() if pure}
        self._locals = locals_
        self._calls = {call.where[0]: call for call in stops.calls}

    def level(self, where: Range) -> Level:
        """The lowest level at which the expression can be computed once for all."""
        found = Level.GROUP
        i, last = where
        while i < last and found is not Level.THREAD:
            call = self._calls.get(i)
            if call is not None:
                found = max(found, Level.SIMD if call.answer is Answer.SAME else Level.THREAD)
                i = call.where[1]
                continue
            found = max(found, self._level_at(i))
            i += 1
        return found

    def is_pure(self, where: Range) -> bool:
        """Whether computing it again, or at another time between two stops, would give the same and do nothing else.

        Loads from memory that a kernel writes are not.
        """
        return not self._locals.modified(*where) and all(self._is_pure_at(i) for i in range(*where))

    def is_known(self, i: int) -> bool:
        """Whether the ``(`` at ``i`` opens no call of anything unknown."""
        return self._is_pure_at(i)

    def _level_at(self, i: int) -> Level:
        text = self._code.texts[i]
        if not self._is_pure_at(i):
            return Level.THREAD
        if text == "&" and self._locals.is_unary(i):
            return Level.THREAD
        variable = self._locals.mentions.get(i)
        if variable is None:
            return Level.GROUP
        if variable.sort is Sort.STORAGE or (variable.sort is not Sort.VALUE and not variable.constant):
            return Level.THREAD
        return variable.level

    def _is_pure_at(self, i: int) -> bool:
        """Whether the token is no call of anything unknown, no load and no lambda."""
        code, text = self._code, self._code.texts[i]
        if text == "*" and (self._locals.is_unary(i) or self._is_pointer(i + 1)):
            return False
        if text in ("[", "->"):
            variable = self._locals.mentions.get(i - 1)
            return variable is not None and variable.constant
        if text == "(" and code.text(i - 1) == ">":
            opening = code.angle_open(i - 1)
            return opening is None or code.text(opening - 1) in self._pure
        if text == "(" and code.text(i - 1) in ("]",):
            return False
        if text == "(" and code.is_name(i - 1):
            return code.texts[i - 1] in self._pure and code.text(i - 2) not in (".", "->")
        return text not in ("{", "new", "++", "--", "this") and text not in ASSIGNMENTS

    def _is_pointer(self, i: int) -> bool:
        while self._code.text(i) == "(":
            i += 1
        variable = self._locals.mentions.get(i)
        return variable is not None and variable.pointer


def _takes_numbers(code: Code, function: Function, functions: Sequence[Function]) -> bool:
    """Whether all that the function can see are numbers, so that nothing but a number can come of it."""
    for first, last in code.split(function.open + 1, function.close):
        words = [word for word in code.texts[first:last] if word not in ("const", "thread")]
        if len(words) > 2 or words[0] not in _TYPES:
            return False
    body = function.body(code)
    if function.owner or body is None:
        return False
    return not any("threadgroup" in code.texts[slice(*where)] for where in reached(code, body, functions))


def is_conditional(code: Code, statement: Range, call: Call) -> bool:
    """Whether the call may not be computed, or only after another part of the statement has been."""
    i = call.where[0]
    while True:
        opening = code.enclosing[i]
        inside = opening >= statement[0]
        first, last = (opening + 1, code.match[opening]) if inside else statement
        separators = {"?", "&&", "||"} | (
            set() if inside and code.texts[opening] == "(" and code.is_name(opening - 1) else {","}
        )
        if any(code.texts[at] in separators for at in code.outer(first, last)):
            return True
        if not inside:
            return False
        if code.texts[opening] == "{":
            return True
        i = opening
