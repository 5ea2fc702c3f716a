"""A Metal program as C++: the passes in their order, and what is emitted for each kernel."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from kernelwright.metal.contract import KernelArgument, KernelSignature, Translation
from kernelwright.metal.language.addresses import translate_addresses
from kernelwright.metal.language.attributes import Attributes
from kernelwright.metal.language.choices import translate_choices
from kernelwright.metal.language.constants import Value, translate_constants
from kernelwright.metal.language.declarations import Function, Instantiation, declarations
from kernelwright.metal.language.directives import translate_directives
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.instantiations import KernelInstantiation, find_instantiations
from kernelwright.metal.language.integers import evaluate, named_integers
from kernelwright.metal.language.kernels import Kernel, find_kernels
from kernelwright.metal.language.literals import translate_literals
from kernelwright.metal.language.lockstep import PREFIX, in_lockstep
from kernelwright.metal.language.reach import Waiting
from kernelwright.metal.language.statements import Unfit
from kernelwright.metal.language.storage import translate_storage
from kernelwright.metal.language.tokens import Place, Token, text_of

_NO_CONSTANTS: Mapping[str | int, Value] = MappingProxyType({})
_MOST_NAMED = 20
"""Kernels that an error lists: a program may have thousands."""


def translate(
    tokens: list[Token],
    *,
    constants: Mapping[str | int, Value] = _NO_CONSTANTS,
    kernels: Collection[str] | None = None,
    backend: Literal["cpu", "nvptx"] = "cpu",
    lockstep: bool = False,
    without: Collection[str] = (),
) -> Translation:
    """C++ for preprocessed Metal, and the kernels in it.

    ``constants``: values of function constants by name or index. ``kernels``: host names of those to export; all,
    where it is ``None``. ``lockstep``: kernels that can run in lockstep get that form, too, except those named in
    ``without``. The tokens are edited in place, and every one stays on its line. Raises ``SourceError`` where the
    program cannot be understood, ``ValueError`` for a function constant or a kernel that does not exist.
    """
    translate_literals(tokens)
    translate_directives(tokens, backend)
    attributes = Attributes(tokens)
    code = attributes.code
    declared = list(declarations(code))
    functions = [function for function in declared if isinstance(function, Function)]
    integers = named_integers(code)

    found = find_kernels(attributes, functions, integers)
    explicit = (variant for variant in declared if isinstance(variant, Instantiation))
    variants = find_instantiations(attributes, explicit, found)
    waiting = Waiting(code, functions)
    translate_constants(attributes, constants, integers)
    translate_storage(code, [body for function in functions if (body := function.body(code))])
    translate_addresses(code, declared)
    translate_choices(code)  # last: it copies what the others have edited

    entries = [_plain(code, kernel, waiting) for kernel in found if not kernel.function.template]
    entries += [_variant(code, variant, waiting) for variant in variants]
    if kernels is not None:
        entries = _chosen(code, entries, kernels)
    entries.sort(key=lambda entry: entry.position)
    forms: dict[str, Place] = {}
    for kernel in dict.fromkeys(entry.kernel for entry in entries if lockstep and entry.waits):
        if kernel.name not in without and (place := _add_lockstep(code, kernel, functions, waiting)):
            forms[kernel.name] = place
    signatures = tuple(
        entry.emit(code, number, integers, lockstep=entry.kernel.name in forms) for number, entry in enumerate(entries)
    )
    return Translation(text_of(tokens), signatures, forms)


def _add_lockstep(code: Code, kernel: Kernel, functions: Sequence[Function], waiting: Waiting) -> Place | None:
    """Writes the kernel's form in lockstep behind the kernel, where it has one; says where."""
    try:
        text = in_lockstep(code, kernel, functions, waiting)
    except Unfit:
        return None
    last = code.match[kernel.function.end]
    code.append(last, text)
    return code.place(last)


class _Entry:
    """One kernel that the program exports."""

    def __init__(self, kernel: Kernel, name: Range, parameters: Range | None, position: int):
        self.kernel = kernel
        self.name = name
        self.parameters = parameters
        self.position = position
        """Behind this token the kernel can be referred to."""
        self.host_name = kernel.host_name
        self.max_threads = kernel.max_threads
        self.waits = True
        self.replaced: Range | None = None
        """What the entry stands in place of."""

    def emit(self, code: Code, number: int, integers: Mapping[str, int], *, lockstep: bool) -> KernelSignature:
        """Writes the line that exports the kernel as ``kw_kernel_<number>``."""
        arguments = self.kernel.arguments
        described = "".join(f", {{{_kind(argument)}, {argument.index}}}" for argument in arguments)
        bound = evaluate(self.max_threads.split(), integers) if self.max_threads else 0
        pointer = self._pointer(code)
        if lockstep:
            pointer += f", {self._lockstep_pointer(code)}"
        line = (
            f' KW_KERNEL{"_LOCKSTEP" if lockstep else ""}({number}, "{self.host_name}", {pointer}, '
            f"{self.max_threads or 0}, {'true' if self.waits else 'false'}{described})"
        )
        if self.replaced:
            code.erase(*self.replaced)
        code.append(self.position, line)
        return KernelSignature(
            name=code.spelled(*self.name),
            host_name=self.host_name,
            number=number,
            arguments=arguments,
            synchronises=self.waits,
            place=code.place(self.name[0]),
            max_threads=bound or 0,
        )

    def _pointer(self, code: Code) -> str:
        """The function's address. Its type is written out, because functions of other kinds can share its name."""
        name = code.edited(*self.name)
        if self.parameters is None:
            return f"(&{name})"
        types = code.edited(*self.parameters)
        return f"static_cast<void (*)({types})>(&{name})"

    def _lockstep_pointer(self, code: Code) -> str:
        first, last = self.name
        plain = next(i for i in reversed(list(code.outer(first, last))) if code.is_name(i))
        name = " ".join((code.edited(first, plain), PREFIX + code.texts[plain], code.edited(plain + 1, last))).strip()
        if self.parameters is None:
            return f"(&{name})"
        types = code.edited(*self.parameters)
        return f"static_cast<bool (*)({', '.join(filter(None, ('kw::Team&', types)))})>(&{name})"


def _chosen(code: Code, entries: list[_Entry], names: Collection[str]) -> list[_Entry]:
    """The entries of these host names; instantiations of others are left out of the program."""
    unknown = set(names) - {entry.host_name for entry in entries}
    if unknown:
        names = [entry.host_name for entry in entries]
        there = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "") or "none"
        raise ValueError(f"the program has no kernel {', '.join(sorted(unknown))}; there are {there}")
    for entry in entries:
        if entry.host_name not in names and entry.replaced:
            code.erase(*entry.replaced)
    return [entry for entry in entries if entry.host_name in names]


def _plain(code: Code, kernel: Kernel, waiting: Waiting) -> _Entry:
    function = kernel.function
    body = (function.start, code.match[function.end] + 1)
    entry = _Entry(kernel, (function.name, function.name + 1), (function.open + 1, function.close), body[1] - 1)
    entry.waits = waiting.mentioned(body)
    return entry


def _variant(code: Code, variant: KernelInstantiation, waiting: Waiting) -> _Entry:
    function = variant.kernel.function
    declaration = variant.declaration
    entry = _Entry(variant.kernel, variant.name, variant.parameters, declaration.end)
    entry.host_name = variant.host_name
    entry.max_threads = variant.max_threads
    entry.replaced = (declaration.start, declaration.end + 1)
    entry.waits = waiting.mentioned((function.start, code.match[function.end] + 1)) or waiting.mentioned(variant.name)
    return entry


def _kind(argument: KernelArgument) -> str:
    return f"KW_{argument.kind.upper()}"
