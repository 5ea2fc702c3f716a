"""Kernels: which functions are, and where each of their arguments comes from (specification, 5.1 and 5.2)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kernelwright.metal.contract import KernelArgument
from kernelwright.metal.language.attributes import Attribute, Attributes
from kernelwright.metal.language.declarations import SPACES, Function
from kernelwright.metal.language.grammar import Code, Range, spell
from kernelwright.metal.language.integers import evaluate
from kernelwright.metal.language.tokens import Kind

POSITIONS = frozenset(
    {
        "thread_position_in_grid", "thread_position_in_threadgroup", "threadgroup_position_in_grid",
        "threads_per_grid", "threads_per_threadgroup", "threadgroups_per_grid", "dispatch_threads_per_threadgroup",
        "grid_origin", "thread_index_in_threadgroup", "thread_index_in_simdgroup", "simdgroup_index_in_threadgroup",
        "threads_per_simdgroup", "simdgroups_per_threadgroup", "dispatch_simdgroups_per_threadgroup",
        "thread_index_in_quadgroup", "quadgroup_index_in_threadgroup", "quadgroups_per_threadgroup",
        "dispatch_quadgroups_per_threadgroup", "threads_per_quadgroup",
    }
)  # fmt: skip
"""Attributes of arguments that the grid gives."""
_OLDER_NAMES = {"thread_execution_width": "threads_per_simdgroup", "grid_size": "threads_per_grid"}
_WITHOUT_EFFECT = frozenset({"function_constant", "maybe_unused", "id", "raster_order_group"})


@dataclass(frozen=True)
class Kernel:
    """A kernel, or the template of one, that is defined in the program."""

    function: Function
    name: str
    host_name: str
    arguments: tuple[KernelArgument, ...]
    max_threads: str
    """The argument of ``[[max_total_threads_per_threadgroup(n)]]`` as written; empty: not given."""


def find_kernels(attributes: Attributes, functions: Iterable[Function], integers: Mapping[str, int]) -> list[Kernel]:
    """The kernels that are defined, in the order of the program; the word ``kernel`` is taken out everywhere.

    Raises ``SourceError`` for a kernel that returns something, and for arguments that nothing could be bound to.
    """
    code = attributes.code
    found: list[Kernel] = []
    for function in functions:
        of_function = attributes.within(function.start, function.open)
        if not _marked(code, function.start, function.name, of_function):
            continue
        if "void" not in code.texts[function.start : function.name]:
            raise code.error(f"kernel '{code.texts[function.name]}' must return void", function.name)
        if function.body(code) is None:
            continue
        name = code.texts[function.name]
        found.append(
            Kernel(
                function=function,
                name=name,
                host_name=host_name(of_function) or name,
                arguments=_arguments(attributes, function, integers),
                max_threads=max_threads(of_function),
            )
        )
    for token in code.tokens:
        if token.text == "kernel" and token.kind is Kind.IDENTIFIER:
            token.text = ""
    return found


def is_marked(attributes: Attributes, first: int, last: int) -> bool:
    """Whether the declaration between two positions says ``kernel`` or ``[[kernel]]``."""
    return _marked(attributes.code, first, last, attributes.within(first, last))


def _marked(code: Code, first: int, last: int, attributes: Iterable[Attribute]) -> bool:
    return "kernel" in code.texts[first:last] or any(attribute.name == "kernel" for attribute in attributes)


def host_name(attributes: Iterable[Attribute]) -> str:
    """What ``[[host_name("a" "b")]]`` says, empty without one."""
    for attribute in attributes:
        if attribute.name == "host_name":
            return "".join(text[text.index('"') + 1 : -1] for text in attribute.arguments)
    return ""


def max_threads(attributes: Iterable[Attribute]) -> str:
    """The argument of ``[[max_total_threads_per_threadgroup(n)]]``, empty without one."""
    for attribute in attributes:
        if attribute.name == "max_total_threads_per_threadgroup":
            return " ".join(attribute.arguments)
    return ""


def _arguments(attributes: Attributes, function: Function, integers: Mapping[str, int]) -> tuple[KernelArgument, ...]:
    code = attributes.code
    drafts: list[KernelArgument] = []
    for first, last in code.split(function.open + 1, function.close):
        if code.texts[first:last] != ["void"]:
            drafts.append(_argument(code, (first, last), attributes.within(first, last), integers))
    return _numbered(drafts)


def _argument(code: Code, where: Range, attributes: Sequence[Attribute], integers: Mapping[str, int]) -> KernelArgument:
    """One argument; a buffer without a number has index -1."""
    first, last = where
    name = parameter_name(code, where)
    spelled = spell(code.texts[i] for i in range(first, last) if i != name)
    texts = code.texts[first:last]
    space = next((text for text in texts if text in SPACES), "")
    by_reference = "*" in texts or "&" in texts or "[" in texts
    kind, index = "", -1
    for attribute in attributes:
        known = _OLDER_NAMES.get(attribute.name, attribute.name)
        if known in POSITIONS:
            kind, index = known, 0
        elif known in ("buffer", "threadgroup"):
            value = evaluate(attribute.arguments, integers)
            if value is None:
                shown = spell(attribute.arguments)
                raise code.error(f"the index of [[{known}({shown})]] is not an integer that is known here", first)
            kind, index = known, value
        elif known not in _WITHOUT_EFFECT:
            raise code.error(f"[[{known}]] is not supported on an argument of a kernel", first)
    if not kind:
        if not by_reference:
            shown = code.texts[name] if name >= 0 else spelled
            raise code.error(f"'{shown}' needs an attribute such as [[thread_position_in_grid]]", first)
        kind = "threadgroup" if space == "threadgroup" else "buffer"
    return KernelArgument(
        name=code.texts[name] if name >= 0 else "",
        kind=kind,
        index=index,
        type=spelled,
        address_space=space if by_reference else "",
    )


def _numbered(drafts: Iterable[KernelArgument]) -> tuple[KernelArgument, ...]:
    """Gives buffers and threadgroup arguments without an index the lowest one that is free (specification, 5.2.1)."""
    drafts = list(drafts)
    taken = {(draft.kind, draft.index) for draft in drafts if draft.index >= 0}
    arguments: list[KernelArgument] = []
    for draft in drafts:
        index = draft.index
        if index < 0:
            index = next(i for i in range(len(taken) + 1) if (draft.kind, i) not in taken)
            taken.add((draft.kind, index))
        arguments.append(KernelArgument(draft.name, draft.kind, index, draft.type, draft.address_space))
    return tuple(arguments)


def parameter_name(code: Code, where: Range) -> int:
    """Position of the name of the parameter in this range; -1: it has none.

    ``device float* x``, ``constant int shape[4]``, ``threadgroup float (&tile)[32]``, ``uint = 0``.
    """
    first, last = where
    ends = [i for i in code.outer(first, last) if code.texts[i] in ("=", "[", "(")]
    if ends and code.texts[ends[0]] == "(":
        inside = [i for i in range(ends[0] + 1, code.match[ends[0]]) if code.is_name(i)]
        return inside[-1] if inside else -1
    i = (ends[0] if ends else last) - 1
    if i <= first or not code.is_name(i):
        return -1
    before = code.texts[i - 1]
    if before == "::" or (all(text in SPACES or text == "const" for text in code.texts[first:i])):
        return -1
    return i
