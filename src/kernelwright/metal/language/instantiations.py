"""Explicit instantiations of kernel templates, which is how programs name their variants.

Three forms are in use::

    template [[host_name("add_f32")]] kernel void add<float>(device float* x, uint i);
    template [[host_name("add_f32")]] [[kernel]] decltype(add<float>) add<float>;
    template [[host_name("add_f32")]] kernel add_t add<float>;      // typedef decltype(add<float>) add_t;
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kernelwright.metal.language.attributes import Attributes
from kernelwright.metal.language.declarations import Instantiation
from kernelwright.metal.language.grammar import Code, Range
from kernelwright.metal.language.kernels import Kernel, host_name, is_marked, max_threads


@dataclass(frozen=True)
class KernelInstantiation:
    """One variant of a kernel template."""

    kernel: Kernel
    """The template."""
    declaration: Instantiation
    name: Range
    """The function with its template arguments, ``ns::add<float>``."""
    parameters: Range | None
    """Between the parentheses; ``None`` in the second and third form."""
    host_name: str
    max_threads: str


def find_instantiations(
    attributes: Attributes, declared: Iterable[Instantiation], kernels: Iterable[Kernel]
) -> list[KernelInstantiation]:
    """The instantiations of kernels, in order. Raises ``SourceError`` where no such template is defined."""
    code = attributes.code
    by_name: dict[str, list[Kernel]] = {}
    for kernel in kernels:
        by_name.setdefault(kernel.name, []).append(kernel)
    found: list[KernelInstantiation] = []
    for declaration in declared:
        if not is_marked(attributes, declaration.start, declaration.end):
            continue
        name, parameters = _declarator(code, declaration)
        plain = next(code.texts[i] for i in reversed(list(code.outer(*name))) if code.is_name(i))
        candidates = by_name.get(plain)
        if not candidates:
            raise code.error(f"no kernel template '{plain}' is defined in this program", name[0])
        of_variant = attributes.within(declaration.start, declaration.end)
        kernel = _chosen(code, candidates, parameters)
        found.append(
            KernelInstantiation(
                kernel=kernel,
                declaration=declaration,
                name=name,
                parameters=parameters,
                host_name=host_name(of_variant) or code.spelled(*name),
                max_threads=max_threads(of_variant) or _with_arguments(code, kernel, name),
            )
        )
    return found


def _declarator(code: Code, declaration: Instantiation) -> tuple[Range, Range | None]:
    """The name and the parameters, read from the end: the type before them can be anything."""
    last = declaration.end
    parameters = None
    if code.texts[last - 1] == ")":
        parameters = (code.match[last - 1] + 1, last - 1)
        last = code.match[last - 1]
    first = last - 1
    if code.texts[first] == ">":
        opening = code.angle_open(first, declaration.start)
        if opening is None:
            raise code.error("the template argument list is never closed", declaration.start)
        first = opening - 1
    # qualifiers; the token after 'template' is the type, however it looks: 'void ::ns::add<float>'
    type_ = declaration.start + 1 + (code.texts[declaration.start + 1] == "kernel")
    while first - 1 > type_ and code.texts[first - 1] == "::":
        first -= 1
        if first - 1 > type_ and code.is_name(first - 1):
            first -= 1
    return (first, last), parameters


def _with_arguments(code: Code, kernel: Kernel, name: Range) -> str:
    """The template's largest threadgroup, which may depend on template parameters, for these arguments."""
    given: list[str] = []
    if code.texts[name[1] - 1] == ">" and (opening := code.angle_open(name[1] - 1, name[0])) is not None:
        given = [code.edited(*argument) for argument in code.split(opening + 1, name[1] - 1)]
    values: dict[str, str] = {}
    start = kernel.function.start + 1
    close = code.angle_close(start) or start
    for number, (first, last) in enumerate(code.split(start + 1, close)):
        equals = next((i for i in code.outer(first, last) if code.texts[i] == "="), last)
        parameter = code.texts[equals - 1]
        default = " ".join(values.get(text, text) for text in code.texts[equals + 1 : last])
        values[parameter] = f"( {given[number] if number < len(given) else default} )"
    return " ".join(values.get(word, word) for word in kernel.max_threads.split())


def _chosen(code: Code, candidates: list[Kernel], parameters: Range | None) -> Kernel:
    """Of several templates of one name, the one with as many parameters."""
    if parameters is not None:
        count = len(code.split(*parameters))
        for kernel in candidates:
            if len(kernel.arguments) == count:
                return kernel
    return candidates[0]
