"""Reads tokens into a ``Program``: what is declared where, in namespaces, structs and functions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kernelwright.metal.language.tokens import Kind, Token
from kernelwright.metal.strict.declarators import Declarations, Declarator, Head
from kernelwright.metal.strict.statements import Statements
from kernelwright.metal.strict.stream import Stream
from kernelwright.metal.strict.view import Function, Program, Record, Role, Span, Variable

_STOPS = frozenset({";", "{"})
_AFTER_LIST = frozenset({
    "(", "{", "::", ".", ";", ",", ")", "||", "&&", "|", "^", "?", ":", "==", "!=", "<=", ">=", "/", "%",
})  # fmt: skip
"""What may follow the ``>`` of a template list in an expression. Most of it cannot begin what ``>`` compares with."""
_AFTER_PARAMETERS = frozenset({"const", "volatile", "&", "&&", "override", "final", "try"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Where declarations are read: what they are and where they can be seen."""

    role: Role
    visible: Span
    templates: frozenset[str] = frozenset()
    record: str = ""

    def with_templates(self, names: frozenset[str]) -> "Scope":
        return replace(self, templates=self.templates | names)


def read(tokens: Sequence[Token]) -> Program:
    """The program that the tokens are. Raises ``Unreadable`` for brackets that do not match, and nothing else."""
    stream = Stream(tokens)
    program = Program(stream)
    Reader(program).declarations(0, len(stream), Scope(Role.GLOBAL, (0, len(stream))))
    return program


class Reader(Declarations):
    """Walks over declarations. Where it does not understand one it goes on behind the next ``;`` or ``}``."""

    def __init__(self, program: Program):
        super().__init__(program.stream)
        self.program = program
        self.statements = Statements(self)

    def declarations(self, i: int, end: int, scope: Scope) -> None:
        """All declarations of a namespace or struct."""
        while i < end:
            i = max(i + 1, self.declaration(i, end, scope, i))

    def declaration(self, i: int, end: int, scope: Scope, start: int) -> int:
        """Reads one declaration; returns what is behind it. ``start``: where its ``template`` began."""
        text = self.texts[i]
        if text in ("public", "private", "protected") and self.stream.text(i + 1) == ":":
            return i + 2
        if text == "inline" and self.stream.text(i + 1) == "namespace":
            return i + 1
        if text == "namespace":
            return self._namespace(i, end, scope)
        if text == "extern" and i + 1 < end and self.stream.tokens[i + 1].kind is Kind.STRING:
            if self.stream.text(i + 2) == "{":
                self.declarations(i + 3, self.close[i + 2], scope)
                return self.close[i + 2] + 1
            return self.declaration(i + 2, end, scope, start)
        if text == "template":
            closing = self.stream.angle(i + 1) if self.stream.text(i + 1) == "<" else None
            if closing is None:  # an explicit instantiation
                return self.stream.find(i, end, frozenset({";"})) + 1
            names = self._template_names(i + 2, closing)
            if closing + 1 >= end:
                return end
            return self.declaration(closing + 1, end, scope.with_templates(names), start)
        if text in ("using", "typedef", "static_assert", "_Static_assert", "friend", "asm", "__asm", "__asm__"):
            return self.alias(i, end, scope)
        return self._general(i, end, scope, start)

    def _namespace(self, i: int, end: int, scope: Scope) -> int:
        brace = self.stream.find(i, end, frozenset({"{", ";", "="}))
        if self.stream.text(brace) != "{":
            return self.stream.find(brace, end, frozenset({";"})) + 1
        self.program.namespaces.update(name for name in self.texts[i + 1 : brace] if name != "::")
        self.declarations(brace + 1, self.close[brace], scope)
        return self.close[brace] + 1

    def _template_names(self, i: int, end: int) -> frozenset[str]:
        """The names that a template list gives to its parameters."""
        names: set[str] = set()
        for first, stop in self.stream.pieces(i, end):
            cut = self.stream.find(first, stop, frozenset({"="}))
            pointer = next((j for j in range(first, cut) if self.texts[j] == "(" and self.texts[j + 1] == "*"), None)
            if pointer is not None:  # a pointer to a function
                names.add(self.texts[pointer + 2])
            else:
                found = [j for j in range(first, cut) if self.stream.is_name(j)]
                names.update(self.texts[j] for j in found[-1:])
        return frozenset(names)

    def alias(self, i: int, end: int, scope: Scope) -> int:
        """``using``, ``typedef`` and declarations that declare no name of their own."""
        if self.texts[i] == "typedef":
            return self._general(i, end, scope, i)
        if self.texts[i] == "friend":
            return self._behind(i, end)
        if self.texts[i] == "using" and self.stream.text(i + 2) == "=":
            head = self.head(i + 3, end)
            declarator = self.declarator(head.next, end)
            found = replace(declarator, name=self.texts[i + 1], at=i + 1)
            known = self.stream.text(declarator.next) == ";" and self.stream.text(i - 1) != ">"
            if not known:  # a template, or the type of a function
                found.function = True
            self._add(head, found, replace(scope, role=Role.ALIAS), declarator.next, None)
        return self.stream.find(i, end, frozenset({";"})) + 1

    def _general(self, i: int, end: int, scope: Scope, start: int) -> int:
        """A struct, a function or variables."""
        head = self.head(i, end)
        if head.body is not None:
            self.record(head, scope)
        if not head.words and self.stream.text(head.next) not in ("operator", "~"):
            return self._behind(head.next, end)
        return self.declarators(head, end, scope, start)

    def record(self, head: Head, scope: Scope) -> None:
        """The inside of a struct, class or union; an enum only leaves its name."""
        brace = head.body if head.body is not None else head.next
        names = [word for word in head.words[: _template_cut(head.words)] if word != "::"]
        name = names[-1]
        body = (brace, self.close[brace] + 1)
        self.program.add_record(Record(name, head.key, body))
        if head.key != "enum":
            inside = Scope(Role.MEMBER, body, scope.templates, name)
            self.declarations(brace + 1, self.close[brace], inside)

    def declarators(self, head: Head, end: int, scope: Scope, start: int) -> int:
        """Everything from the first declarator to behind the ``;`` or the function's body."""
        i = head.next
        if "typedef" in head.specifiers:
            scope = replace(scope, role=Role.ALIAS)
        while i < end and self.texts[i] != ";":
            found = self.declarator(i, end)
            if not found.name and self.stream.text(found.next) == "(" and head.words and found.next == head.next:
                if not self.stream.is_name(head.next - 1):
                    return self._behind(found.next, end)
                found = replace(found, name=self.texts[head.next - 1], at=head.next - 1)  # a constructor
                head = replace(head, words=())
            if not found.name:
                return self._behind(found.next, end)
            if self.stream.text(found.next) == "(" and self._is_function(found.next, scope):
                if scope.role is Role.ALIAS:
                    self._add(head, replace(found, function=True), scope, found.next, None)
                    return self._behind(found.next, end)
                return self._function(head, found, end, scope, start)
            i = self.variable(head, found, end, scope)
            if self.stream.text(i) == ",":
                i += 1
            elif self.stream.text(i) != ";":
                return self._behind(i, end)
        return i + 1

    def _is_function(self, i: int, scope: Scope) -> bool:
        """Whether the parenthesis at ``i`` opens parameters, not an initialiser."""
        if scope.role is Role.LOCAL:
            return False
        first = self.stream.tokens[i + 1]
        return first.kind not in (Kind.NUMBER, Kind.STRING, Kind.CHARACTER) and first.text not in ("-", "!", "true")

    def variable(self, head: Head, found: Declarator, end: int, scope: Scope) -> int:
        """Adds one variable with its initialiser; returns the position of the ``,`` or ``;`` behind it."""
        i = found.next
        initialiser = None
        match self.stream.text(i):
            case "=":
                stop = self.initialiser_end(i + 1, end)
                initialiser, i = (i + 1, stop), stop
            case "{":
                initialiser, i = (i, self.close[i] + 1), self.close[i] + 1
            case "(":
                initialiser, i = (i + 1, self.close[i]), self.close[i] + 1
            case ":" if scope.role is Role.MEMBER:
                i = self.stream.find(i, end, frozenset({",", ";"}))
            case _:
                pass
        self._add(head, found, scope, i, initialiser)
        if initialiser is not None:
            self.statements.expression(*initialiser, scope)
        return i

    def initialiser_end(self, i: int, end: int) -> int:
        """Where the expression ends: at a ``,`` or ``;`` outside of brackets and template lists."""
        while i < end and self.texts[i] not in (",", ";", ")"):
            closing = self.stream.angle(i) if self.texts[i] == "<" else None
            if closing is not None and self.stream.text(closing + 1) in _AFTER_LIST:
                i = closing + 1
            else:
                i = self.close.get(i, i) + 1
        return i

    def _add(self, head: Head, found: Declarator, scope: Scope, stop: int, initialiser: Span | None) -> Variable:
        first = scope.visible[0] if scope.role is Role.MEMBER else head.start
        variable = Variable(
            name=found.name, role=scope.role, at=found.at, span=(head.start, stop), words=head.words,
            specifiers=head.specifiers, spaces=head.spaces + found.spaces, visible=(first, scope.visible[1]),
            pointers=found.pointers, reference=found.reference, dimensions=tuple(found.dimensions),
            function=found.function, initialiser=initialiser,
            attributes=tuple(self.stream.attributes(head.start, stop)), templates=scope.templates,
            pack=found.pack, qualified=found.qualified,
        )  # fmt: skip
        self.program.add_variable(variable)
        return variable

    def _function(self, head: Head, found: Declarator, end: int, scope: Scope, start: int) -> int:
        open_ = found.next
        close = self.close[open_]
        i = self._behind_parameters(close + 1, end)
        body = (i, self.close[i] + 1) if self.stream.text(i) == "{" else None
        visible = (open_, body[1] if body is not None else close + 1)
        inside = Scope(Role.PARAMETER, visible, scope.templates, scope.record)
        parameters, ellipsis = self.parameters(open_, inside)
        function = Function(
            name=found.name, at=found.at, start=start, words=head.words, specifiers=head.specifiers,
            spaces=head.spaces + found.spaces, indirect=found.pointers > 0 or found.reference,
            parameters=parameters, parentheses=(open_, close + 1), body=body,
            attributes=(*self.stream.attributes(start, found.at), *self.stream.attributes(close + 1, i)),
            templates=scope.templates, record=scope.record, ellipsis=ellipsis,
        )  # fmt: skip
        self.program.add_function(function)
        for parameter in parameters:
            self.program.add_variable(parameter)
        if body is None:
            return self._behind(i, end)
        self.statements.block(body[0] + 1, body[1] - 1, replace(inside, role=Role.LOCAL))
        return body[1]

    def parameters(self, open_: int, scope: Scope) -> tuple[tuple[Variable, ...], bool]:
        """The parameters in the parentheses at ``open_``, and whether C's ``...`` ends them."""
        end = self.close[open_]
        found: list[Variable] = []
        i = open_ + 1
        ellipsis = False
        while i < end:
            head = self.head(i, end)
            declarator = self.declarator(head.next, end)
            i = declarator.next
            if self.stream.text(i) == "(" and not declarator.name:  # float(float): a type of functions
                declarator.function = True
                i = self.close[i] + 1
            initialiser = None
            if i < end and self.texts[i] == "=":
                stop = self.initialiser_end(i + 1, end)
                initialiser, i = (i + 1, stop), stop
            if i < end and self.texts[i] != ",":
                declarator.function = True  # not understood: nothing may be said of it
                i = self.stream.find(i, end, frozenset({","}))
            if head.words == ("void",) and not (declarator.pointers or declarator.reference or declarator.name):
                pass
            elif declarator.pack and not head.words:
                ellipsis = True
            else:
                found.append(self._parameter(head, declarator, scope, i, initialiser))
            i += 1
        return tuple(found), ellipsis

    def _parameter(
        self, head: Head, declarator: Declarator, scope: Scope, stop: int, initialiser: Span | None
    ) -> Variable:
        return Variable(
            name=declarator.name, role=Role.PARAMETER, at=min(declarator.at, stop), span=(head.start, stop),
            words=head.words, specifiers=head.specifiers, spaces=head.spaces + declarator.spaces,
            visible=(head.start, scope.visible[1]), pointers=declarator.pointers, reference=declarator.reference,
            dimensions=tuple(declarator.dimensions), function=declarator.function, initialiser=initialiser,
            attributes=tuple(self.stream.attributes(head.start, stop)), templates=scope.templates,
            pack=declarator.pack,
        )  # fmt: skip

    def _behind_parameters(self, i: int, end: int) -> int:
        """From behind a parameter list to the body, the ``;`` or something else."""
        while i < end:
            text = self.texts[i]
            if text in ("noexcept", "throw", "__asm", "__asm__", "asm"):
                i = self.close[i + 1] + 1 if self.stream.text(i + 1) == "(" else i + 1
            elif text == "->":
                i = self.stream.find(i, end, frozenset({"{", ";", "="}))
            elif text == ":":
                i = self._behind_member_initialisers(i + 1, end)
            elif text in _AFTER_PARAMETERS or text in ("device", "constant", "thread", "threadgroup"):
                i += 1
            else:
                break
        return i

    def _behind_member_initialisers(self, i: int, end: int) -> int:
        """``a(1), b{2}`` before a constructor's body."""
        while i < end:
            i = self.qualified([], i, end)
            if self.stream.text(i) not in ("(", "{"):
                return i
            i = self.close[i] + 1
            if self.stream.text(i) == "...":
                i += 1
            if self.stream.text(i) != ",":
                return i
            i += 1
        return i

    def _behind(self, i: int, end: int) -> int:
        """Behind the next ``;`` or block: what could not be read ends there."""
        i = self.stream.find(i, end, _STOPS)
        if self.stream.text(i) == "{" and i < end:
            i = self.close[i]
            return i + 2 if self.stream.text(i + 1) == ";" else i + 1
        return i + 1


def _template_cut(words: tuple[str, ...]) -> int:
    """Where the template arguments of a specialisation's name begin: ``Limits<half>``."""
    return words.index("<") if "<" in words else len(words)
