"""Where threads of a kernel wait, and what lockstep makes of each place."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from kernelwright.metal.language.declarations import Function
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.reach import Waiting, in_loop
from kernelwright.metal.language.statements import Form, Statement, Unfit


class Answer(Enum):
    """Whom an operation on a SIMD-group gives what."""

    SAME = "same"
    """All lanes one value."""
    OWN = "own"
    """Each lane a value of its own, computed for all together."""
    CHOSEN = "chosen"
    """Each lane the value of a lane that it chooses by further arguments."""


ANSWERS = {
    **dict.fromkeys(
        (
            "simd_sum", "simd_product", "simd_min", "simd_max", "simd_and", "simd_or", "simd_xor", "simd_any",
            "simd_all", "simd_broadcast_first",
        ),
        Answer.SAME,
    ),
    **dict.fromkeys(
        (
            "simd_prefix_inclusive_sum", "simd_prefix_exclusive_sum", "simd_prefix_inclusive_product",
            "simd_prefix_exclusive_product",
        ),
        Answer.OWN,
    ),
    **dict.fromkeys(
        (
            "simd_broadcast", "simd_shuffle", "simd_shuffle_xor", "simd_shuffle_down", "simd_shuffle_up",
            "simd_shuffle_rotate_down", "simd_shuffle_rotate_up",
        ),
        Answer.CHOSEN,
    ),
}  # fmt: skip
"""The operations that lockstep knows; their forms there stand in ``kw_simdgroup.h``."""
_WORDS = ("simd_", "quad_", "simdgroup_", "threadgroup_barrier", "__metal_")
_MATRICES = ("simdgroup_float", "simdgroup_half", "simdgroup_bfloat", "simdgroup_matrix")
BARRIERS = ("threadgroup_barrier", "simdgroup_barrier")


@dataclass(frozen=True)
class Call:
    """One call of a SIMD-group operation, ``metal::`` included."""

    where: Range
    name: str
    arguments: tuple[Range, ...]

    @property
    def answer(self) -> Answer:
        return ANSWERS[self.name]


class Stops:
    """The places in a kernel's body where threads wait. ``functions``: the others of the program. Raises ``Unfit`` for
    places that lockstep does not know."""

    def __init__(self, code: Code, body: Range, functions: Iterable[Function], waiting: Waiting):
        self.code = code
        own = {code.texts[function.name] for function in functions}
        self.calls: list[Call] = []
        """In the order in which they end: an operation in an argument of another one comes first."""
        self.barriers: list[int] = []
        """Positions of the names of barriers of the threadgroup."""
        self.simd_barriers: list[int] = []
        for i in range(*body):
            if code.texts[i].startswith(_WORDS):
                self._stop(i, own)
            elif code.texts[i] in waiting.names:
                raise Unfit(f"{code.texts[i]}, in which threads may wait")
        for where in reached(code, body, functions):
            for i in range(*where):
                if in_loop(code, i, where[0]):
                    self._refuse_spin(i)
        self.calls.sort(key=lambda call: call.where[1])

    def refuse_spinning(self, statements: Iterable[Statement]) -> None:
        """Raises ``Unfit`` where a thread in a loop may go on only when another one has done something."""
        for statement in statements:
            for inner in statement.every():
                if inner.form in (Form.FOR, Form.WHILE, Form.OPAQUE):
                    for i in range(*inner.where):
                        self._refuse_spin(i)

    def _refuse_spin(self, i: int) -> None:
        """An atomic operation in a loop must be a statement of its own, whose answer nobody asks for."""
        code, text = self.code, self.code.texts[i]
        if text.startswith("atomic_") and code.text(i + 1) == "(":
            begins = code.texts[i - 1] in (";", "{", "}", "else") or (
                code.texts[i - 1] == ")" and code.text(code.match[i - 1] - 1) in ("if", "for", "while")
            )
            if not begins or not text.startswith(("atomic_fetch_", "atomic_store_", "atomic_thread_fence")):
                raise Unfit("a loop that may wait for another thread")

    def _stop(self, i: int, own: set[str]) -> None:
        code, text = self.code, self.code.texts[i]
        if text.startswith(_MATRICES):
            raise Unfit(f"a {text}")
        if code.text(i + 1) not in ("(", "<"):
            return  # a variable
        known = text in ANSWERS or text in BARRIERS
        if not known or text in own or code.text(i + 1) != "(" or code.text(i - 1) in (".", "->"):
            raise Unfit(f"{text}, which lockstep does not know")
        first = i
        if code.text(i - 1) == "::":
            if code.text(i - 2) != "metal" or code.text(i - 3) == "::":
                raise Unfit(f"a {text} of another namespace")
            first = i - 2
        close = code.match[i + 1]
        if text == "threadgroup_barrier":
            self.barriers.append(first)
        elif text == "simdgroup_barrier":
            self.simd_barriers.append(first)
        else:
            self.calls.append(Call((first, close + 1), text, tuple(code.split(i + 2, close))))

    def has_barrier(self, where: Range) -> bool:
        return any(where[0] <= at < where[1] for at in self.barriers)

    def any(self, where: Range) -> bool:
        """Whether threads wait in this range."""
        return (
            self.has_barrier(where)
            or any(where[0] <= at < where[1] for at in self.simd_barriers)
            or bool(self.calls_in(where))
        )

    def calls_in(self, where: Range) -> list[Call]:
        return [call for call in self.calls if where[0] <= call.where[0] and call.where[1] <= where[1]]


def reached(code: Code, body: Range, functions: Iterable[Function]) -> list[Range]:
    """The body, and those of all functions that it may call."""
    known: dict[str, list[Range]] = {}
    for function in functions:
        if where := function.body(code):
            known.setdefault(code.texts[function.name], []).append(where)
    found = [body]
    for where in found:
        for text in set(code.texts[slice(*where)]) & known.keys():
            found += known.pop(text)
    return found
