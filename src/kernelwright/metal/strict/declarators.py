"""The two halves of a declaration: ``const device float`` and ``* values[4]``."""

from dataclasses import dataclass, field

from kernelwright.metal.strict import types
from kernelwright.metal.strict.stream import Stream
from kernelwright.metal.strict.view import Span

SPECIFIERS = frozenset({
    "const", "volatile", "constexpr", "static", "extern", "inline", "mutable", "explicit", "virtual", "friend",
    "typedef", "register", "thread_local", "__thread", "constinit", "consteval", "kernel", "vertex", "fragment",
})  # fmt: skip
RECORD_KEYS = frozenset({"struct", "class", "union", "enum"})


@dataclass(slots=True)
class Head:
    """Everything before the first declarator."""

    start: int
    next: int
    """The first position behind it."""
    words: tuple[str, ...] = ()
    """The type without qualifiers and address spaces; empty for constructors and conversions."""
    specifiers: frozenset[str] = frozenset()
    spaces: tuple[str, ...] = ()
    key: str = ""
    """``struct``, ``class``, ``union`` or ``enum``, if one stands here."""
    body: int | None = None
    """Where the ``{`` of that type's definition is."""

    @property
    def plain(self) -> bool:
        """Whether it is nothing but a name that may as well begin an expression."""
        return not (self.specifiers or self.spaces or self.key) and types.canonical(self.words) is None


@dataclass(slots=True)
class Declarator:
    """One name with what stands around it."""

    name: str
    at: int
    next: int
    pointers: int = 0
    reference: bool = False
    spaces: tuple[str, ...] = ()
    dimensions: list[Span] = field(default_factory=list[Span])
    function: bool = False
    """A pointer or reference to a function."""
    pack: bool = False
    qualified: bool = False
    """It names a member of something declared before."""


class Declarations:
    """Reads heads and declarators at positions of a stream. Positions in, positions out; nothing is kept."""

    def __init__(self, stream: Stream):
        self.stream = stream
        self.texts = stream.texts
        self.close = stream.close

    def head(self, i: int, end: int) -> Head:
        """The head that begins at ``i``."""
        head = Head(i, i)
        words: list[str] = []
        specifiers: set[str] = set()
        spaces: list[str] = []
        while i < end:
            text = self.texts[i]
            if text in types.ADDRESS_SPACES:
                spaces.append(text)
                i += 1
            elif text == "coherent" and self.stream.text(i + 1) == "(":
                i = self.close[i + 1] + 1
            elif text in SPECIFIERS:
                specifiers.add(text)
                i += 1
            elif text in RECORD_KEYS and not words:
                i = self._record(head, words, i, end)
            elif words and not self._continues(words, i):
                break
            else:
                behind = self._type_word(words, i, end)
                if behind == i:
                    break
                i = behind
        head.next, head.words = i, tuple(words)
        head.specifiers, head.spaces = frozenset(specifiers), tuple(spaces)
        return head

    def _continues(self, words: list[str], i: int) -> bool:
        """Whether the word at ``i`` belongs to the type that has begun, or is the type after a macro's name."""
        text = self.texts[i]
        if text in types.C_WORDS:
            if not set(words) <= types.C_WORDS:
                words.clear()
            return True
        if text in types.NAMES and self.stream.text(i + 1) not in ("=", ";", ",", ")"):
            words.clear()
            return True
        return False

    def _type_word(self, words: list[str], i: int, end: int) -> int:
        """Adds the type, or the part of it, that begins at ``i``; returns what is behind it, ``i`` if there is none."""
        text = self.texts[i]
        if text in ("decltype", "typeof", "__typeof__") and self.stream.text(i + 1) == "(":
            stop = self.close[i + 1] + 1
            words += self.texts[i:stop]
            return self._rest_of_name(words, stop, end)
        if text == "typename":
            return i + 1
        if text in types.C_WORDS or text == "auto":
            words.append(text)
            return i + 1
        return self.qualified(words, i, end)

    def _record(self, head: Head, words: list[str], i: int, end: int) -> int:
        """``struct Name final : Base { … }`` or just ``struct Name``."""
        head.key = self.texts[i]
        i += 1
        if head.key == "enum" and self.stream.text(i) in ("class", "struct"):
            i += 1
        i = self.qualified(words, i, end)
        if not words:
            words.append(f"<{head.key}>")
        if self.stream.text(i) == "final":
            i += 1
        if self.stream.text(i) == ":":
            brace = self.stream.find(i, end, frozenset({"{", ";"}))
            i = brace if self.stream.text(brace) == "{" else i
        if i < end and self.texts[i] == "{":
            head.body = i
            i = self.close[i] + 1
        return i

    def qualified(self, words: list[str], i: int, end: int) -> int:
        """Adds a name with its namespaces and template arguments to ``words``; returns what is behind it."""
        if i < end and self.texts[i] == "::" and self.stream.is_name(i + 1):
            words.append("::")
            i += 1
        if i < end and self.stream.is_name(i):
            words.append(self.texts[i])
            i = self._rest_of_name(words, i + 1, end)
        return i

    def _rest_of_name(self, words: list[str], i: int, end: int) -> int:
        while i < end:
            if self.texts[i] == "<" and (stop := self.stream.angle(i)) is not None and stop < end:
                words += self.texts[i : stop + 1]
                i = stop + 1
            elif self.texts[i] == "::" and (self.stream.is_name(i + 1) or self.stream.text(i + 1) == "template"):
                step = 2 if self.texts[i + 1] == "template" else 1
                if not self.stream.is_name(i + step):
                    break
                words += ("::", self.texts[i + step])
                i += step + 1
            else:
                break
        return i

    def declarator(self, i: int, end: int) -> Declarator:
        """The declarator that begins at ``i``; its name is empty where none stands there."""
        found = Declarator("", i, i)
        spaces: list[str] = []
        while i < end:
            text = self.texts[i]
            if text == "*":
                found.pointers += 1
            elif text in ("&", "&&"):
                found.reference = True
            elif text in types.ADDRESS_SPACES:
                spaces.append(text)
            elif text == "...":
                found.pack = True
            elif text not in ("const", "volatile"):
                break
            i += 1
        found.spaces = tuple(spaces)
        i = self._name(found, i, end)
        while i < end and self.texts[i] == "[":
            found.dimensions.append((i + 1, self.close[i]))
            i = self.close[i] + 1
        found.next = i
        return found

    def _name(self, found: Declarator, i: int, end: int) -> int:
        """Reads the name, with parentheses around it or not."""
        found.at = i
        text = self.texts[i] if i < end else ""
        if text == "operator":
            is_call = self.texts[i + 1 : i + 3] == ["(", ")"]
            stop = i + 3 if is_call else self._operator_end(i + 1, end)
            found.name = "".join(self.texts[i:stop])
            return stop
        if text == "~":
            found.name = f"~{self.stream.text(i + 1)}"
            return i + 2
        if text == "(" and self._wrapped(i + 1):
            inner = self.declarator(i + 1, self.close[i])
            found.name, found.at, found.pack = inner.name, inner.at, inner.pack
            found.pointers += inner.pointers
            found.reference = found.reference or inner.reference
            found.spaces += inner.spaces
            found.dimensions += inner.dimensions
            stop = self.close[i] + 1
            if stop < end and self.texts[stop] == "(":
                found.function = True
                return self.close[stop] + 1
            return stop
        if text == "::" or (self.stream.is_name(i) and text not in types.NAMES):
            words: list[str] = []
            stop = self.qualified(words, i, end)
            if not words:
                return i
            if self.stream.text(stop) == "::":  # Name::operator, Name::~Name
                return self._name(found, stop + 1, end)
            found.qualified = "::" in words
            found.at = self._last_name(i, stop)
            found.name = self.texts[found.at]
            return stop
        return i

    def _operator_end(self, i: int, end: int) -> int:
        """Where the symbol or type of an operator's name ends: at its parameters."""
        return self.stream.find(i, end, frozenset({"("}))

    def _wrapped(self, i: int) -> bool:
        """Whether a declarator in parentheses begins here: ``(*name)``, ``(&name)``, ``(thread *name)``."""
        while self.stream.text(i) in types.ADDRESS_SPACES or self.stream.text(i) in ("const", "volatile"):
            i += 1
        return self.stream.text(i) in ("*", "&", "&&")

    def _last_name(self, i: int, stop: int) -> int:
        """The position of the last name in a qualified one, template arguments skipped."""
        last = i
        while i < stop:
            if self.stream.is_name(i):
                last = i
            closing = self.stream.angle(i) if self.texts[i] == "<" else None
            i = (i if closing is None else closing) + 1
        return last
