"""Which functions may wait for other threads, by reachability over names.

Kernels that never wait run as plain loops over their threads, which is many times faster; so the answer may err on one
side only. A function waits if its body calls a barrier or an operation on a simdgroup or quadgroup, if it reads an
atomic in a loop (another thread may have to write it first), or if it mentions a name that a waiting function has.
Constructors and operators are mentioned through their class: a template that is given a functor mentions its name.
"""

from collections.abc import Iterable

from kernelwright.metal.language.declarations import Function
from kernelwright.metal.language.grammar import Code, Range

_WAITING = ("simd_", "quad_", "simdgroup_", "threadgroup_barrier", "__metal_simd", "__metal_quad")
_LOOPS = frozenset({"for", "while", "do"})


class Waiting:
    """The names of a program whose mention may mean waiting."""

    def __init__(self, code: Code, functions: Iterable[Function]):
        self._code = code
        self.names: set[str] = set()
        mentioned_by: dict[str, list[str]] = {}
        """For each name, the names of the functions that mention it."""
        found: list[str] = []
        for function in functions:
            body = function.body(code)
            if body is None:
                continue
            names = _names_of(code, function)
            # template arguments and defaults stand in the header
            whole = (function.start, body[1])
            if self._waits_itself(body):
                found += names
            for word in set(code.texts[slice(*whole)]) - set(names):
                mentioned_by.setdefault(word, []).extend(names)
        while found:
            name = found.pop()
            if name not in self.names:
                self.names.add(name)
                found += mentioned_by.get(name, ())

    def mentioned(self, where: Range) -> bool:
        """Whether code in this range may wait."""
        return self._waits_itself(where) or not self.names.isdisjoint(self._code.texts[slice(*where)])

    def _waits_itself(self, where: Range) -> bool:
        code = self._code
        for i in range(*where):
            text = code.texts[i]
            if text.startswith(_WAITING) and code.text(i + 1) in ("(", "<"):
                return True
            if text == "atomic_load_explicit" and in_loop(code, i, where[0]):
                return True
        return False


def _names_of(code: Code, function: Function) -> list[str]:
    """What a mention of the function looks like."""
    name = code.texts[function.name]
    if name in ("operator", function.owner):
        return [function.owner] if function.owner else []
    return [name]


def in_loop(code: Code, i: int, first: int) -> bool:
    """Whether ``i`` stands in the condition or the body of a loop that starts after ``first``."""
    while (i := code.enclosing[i]) >= first:
        before = i - 1
        if code.texts[i] == "{" and code.text(before) == ")":
            before = code.match[before] - 1
        if code.text(before) in _LOOPS:
            return True
    return False
