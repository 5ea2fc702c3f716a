"""Reads the inside of functions: blocks, local variables and lambdas."""

from dataclasses import replace
from typing import TYPE_CHECKING

from kernelwright.metal.language.tokens import Kind
from kernelwright.metal.strict.view import Function, Role, Span

if TYPE_CHECKING:
    from kernelwright.metal.strict.reader import Reader, Scope

_SEMICOLON = frozenset({";"})
_COLON = frozenset({":"})
_BEHIND_LOCAL = frozenset({"=", ";", ",", "(", "{", ":", ""})
"""What may follow the declarator of a local variable."""


class Statements:
    """Walks over statements. Expressions are only searched for lambdas."""

    def __init__(self, reader: "Reader"):
        self.reader = reader
        self.stream = reader.stream
        self.texts = reader.stream.texts
        self.close = reader.stream.close

    def block(self, i: int, end: int, scope: "Scope") -> None:
        """The statements from ``i`` to ``end``; what they declare is visible to the end of the scope."""
        while i < end:
            i = max(i + 1, self._statement(i, end, scope))

    def _statement(self, i: int, end: int, scope: "Scope") -> int:
        """Reads one statement, or the part of it before a statement within; returns what is behind it."""
        text = self.texts[i]
        match text:
            case ";" | "do" | "else" | "try":
                return i + 1
            case "{":
                self.block(i + 1, self.close[i], self._within(scope, (i, self.close[i] + 1)))
                return self.close[i] + 1
            case "for":
                return self._for(i, end, scope)
            case "if" | "while" | "switch" | "catch":
                return self._condition(i, end, scope)
            case "case" | "default":
                return self.stream.find(i, end, _COLON) + 1
            case "using" | "typedef" | "static_assert" | "_Static_assert":
                return self.reader.alias(i, end, scope)
            case "return" | "goto" | "break" | "continue" | "throw":
                pass
            case _:
                if self.stream.is_name(i) and self.stream.text(i + 1) == ":":
                    return i + 2  # a label
                behind = self.local(i, end, scope)
                if behind is not None:
                    return behind
        stop = self.stream.find(i, end, _SEMICOLON)
        self.expression(i, stop, scope)
        return stop + 1

    def _within(self, scope: "Scope", visible: Span) -> "Scope":
        return replace(scope, visible=visible)

    def _condition(self, i: int, end: int, scope: "Scope") -> int:
        """``if (int n = …)`` declares for the statement that follows."""
        i += 1
        if self.stream.text(i) == "constexpr":
            i += 1
        if self.stream.text(i) != "(":
            return i
        closing = self.close[i]
        inside = self._within(scope, (i, self.statement_end(closing + 1, end)))
        behind = self.local(i + 1, closing, inside, condition=True)
        self.expression(behind or i + 1, closing, inside)
        return closing + 1

    def _for(self, i: int, end: int, scope: "Scope") -> int:
        """The loop with everything in it."""
        if self.stream.text(i + 1) != "(":
            return i + 1
        closing = self.close[i + 1]
        stop = self.statement_end(closing + 1, end)
        inside = self._within(scope, (i, stop))
        behind = self.local(i + 2, closing, inside)
        self.expression(behind or i + 2, closing, inside)
        self.block(closing + 1, stop, inside)
        return stop

    def statement_end(self, i: int, end: int) -> int:
        """What is behind the whole statement that begins at ``i``, with everything it governs."""
        while i < end:  # labels and headers lead to the statement that they govern
            text = self.texts[i]
            if text == "{":
                return self._behind_else(self.close[i] + 1, end)
            if text in ("if", "for", "while", "switch", "catch"):
                i += 2 if self.stream.text(i + 1) == "constexpr" else 1
                if self.stream.text(i) != "(":
                    return min(i, end)
                i = self.close[i] + 1
            elif text in ("do", "else", "try"):
                i += 1
            elif text in ("case", "default"):
                i = self.stream.find(i, end, _COLON) + 1
            else:
                return self._behind_else(min(self.stream.find(i, end, _SEMICOLON) + 1, end), end)
        return end

    def _behind_else(self, i: int, end: int) -> int:
        """An ``else`` belongs to the statement before it."""
        return self.statement_end(i + 1, end) if i < end and self.texts[i] == "else" else min(i, end)

    def local(self, i: int, end: int, scope: "Scope", *, condition: bool = False) -> int | None:
        """Reads a declaration of local variables or types; ``None`` if it is an expression."""
        if not (self.stream.is_name(i) or self.texts[i] == "::"):
            return None
        head = self.reader.head(i, end)
        if head.body is not None:
            self.reader.record(head, scope)
            if self.stream.text(head.next) == ";":
                return head.next + 1
        elif not head.words or (head.plain and self.stream.text(head.next) == "("):
            return None
        found = self.reader.declarator(head.next, end)
        behind = self.texts[found.next] if found.next < end else ""
        if not found.name or behind not in (_BEHIND_LOCAL if not condition else ("=", "{")):
            return None
        if head.plain and (found.pointers or found.reference) and self._is_value(head.words[0], i):
            return None
        while True:
            at = self.reader.variable(head, found, end, scope)
            if self.stream.text(at) != "," or at >= end:
                return at + 1
            found = self.reader.declarator(at + 1, end)
            if not found.name:
                return at + 1

    def _is_value(self, name: str, i: int) -> bool:
        """Whether ``name * other`` multiplies."""
        return self.reader.program.variable(name, i) is not None

    def expression(self, i: int, end: int, scope: "Scope") -> None:
        """Reads the lambdas in an expression, or in several."""
        while i < end:
            if self.texts[i] == "[" and self._begins_value(i):
                i = self._lambda(i, end, scope)
            else:
                i += 1

    def _begins_value(self, i: int) -> bool:
        """Whether the bracket cannot be a subscript: nothing stands before it that could have one."""
        before = self.stream.tokens[i - 1] if i > 0 else None
        if before is None or before.text in ("return", "case", "else"):
            return True
        return before.kind is Kind.OPERATOR and before.text not in (")", "]", "}")

    def _lambda(self, i: int, end: int, scope: "Scope") -> int:
        """A lambda with its parameters and body; returns what is behind it."""
        start, i = i, self.close[i] + 1
        open_ = None
        if self.stream.text(i) == "(":
            open_, i = i, self.close[i] + 1
        brace = self.stream.find(i, end, frozenset({"{", ";", ",", ")", "}"}))
        if self.stream.text(brace) != "{" or brace >= end:
            return start + 1
        body = (brace, self.close[brace] + 1)
        first = open_ if open_ is not None else brace
        inside = replace(scope, role=Role.PARAMETER, visible=(first, body[1]))
        parameters, ellipsis = self.reader.parameters(open_, inside) if open_ is not None else ((), False)
        self.reader.program.add_function(
            Function(
                name="", at=start, start=start, words=(), specifiers=frozenset(), spaces=(), indirect=False,
                parameters=parameters, parentheses=(first, self.close[first] + 1), body=body, attributes=(),
                templates=scope.templates, ellipsis=ellipsis,
            )
        )  # fmt: skip
        for parameter in parameters:
            self.reader.program.add_variable(parameter)
        self.block(brace + 1, body[1] - 1, replace(inside, role=Role.LOCAL))
        return body[1]
