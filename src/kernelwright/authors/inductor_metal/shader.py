"""Inductor's Metal kernels with names that say something: the text of one program."""

import re
from collections.abc import Iterable, Sequence
from textwrap import dedent, fill

from kernelwright.authors.inductor_metal.trace import Origin
from kernelwright.authors.inductor_metal.wrapper import Kernel

WIDTH = 110
LONGEST_NAME = 40

_NOISE = re.compile(r"^(native_)|(_legit_no_training|_legit|_no_training|_with_indices)$")
_PARAMETER = re.compile(r"^\s*(?:device|constant) \S+ (\w+),?", re.MULTILINE)

_WORDS = """
kernel vertex fragment device constant thread threadgroup half bfloat float int uint char uchar short ushort long ulong
bool void auto sampler texture metal c10 using namespace template typename struct class union enum static const return
if else for while do switch case default break continue true false this operator new delete sizeof signed unsigned
volatile inline extern typedef goto and or not xor as_type
"""
RESERVED = frozenset(_WORDS.split())
"""Words that cannot name an argument of a kernel."""


def buffers(kernel: Kernel) -> int:
    """How many buffers the kernel takes."""
    return len(_PARAMETER.findall(dedent(kernel.source)))


def plain_name(operation: str) -> str:
    """``batch_norm`` for ``_native_batch_norm_legit_no_training``: an operation's name without ATen's own affixes."""
    return _NOISE.sub("", _NOISE.sub("", operation.strip("_"))).strip("_")


def kernel_name(origins: Sequence[Origin], taken: set[str]) -> str:
    """A free name from what the kernel computes: ``relu_kernel``, ``softmax_argmax``."""
    words = list(dict.fromkeys(plain_name(origin.name) for origin in origins)) or ["copy"]
    name = words[0]
    for word in words[1:]:
        if len(name) + len(word) >= LONGEST_NAME:
            break
        name += f"_{word}"
    if len(words) == 1:
        name += "_kernel"  # a bare "exp" would hide the function of the standard library
    return free(name, taken)


def free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that makes it free; taken from now on."""
    number = 1
    while (found := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    taken.add(found)
    return found


def program_text(kernels: Iterable[tuple[Kernel, str]]) -> str:
    """One Metal program: includes, then kernels, each with its text as ``kernel_text`` gives it."""
    pairs = list(kernels)
    headers = sorted({header for kernel, _ in pairs for header in kernel.headers})
    includes = "".join(f"#include <c10/metal/{header}.h>\n" for header in headers)
    return "\n".join([includes, *(text for _, text in pairs)])


def kernel_text(kernel: Kernel, name: str, origins: Sequence[Origin], arguments: Sequence[str] | None) -> str:
    """The kernel under its new name, with what it computes above it.

    ``arguments`` are names for its first parameters, in order; ``None`` leaves those that Inductor gave.
    """
    text = dedent(kernel.source).strip("\n")
    text = re.sub(rf"\bkernel void {kernel.entry}\(", f"kernel void {name}(", text)
    given = _PARAMETER.findall(text)
    taken = {*re.findall(r"\b[A-Za-z_]\w*", text), *RESERVED}
    for old, new in zip(given, arguments or (), strict=False):
        text = re.sub(rf"\b{old}\b", free(new, taken), text)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join([*_comment(origins), *lines, ""])


def _comment(origins: Sequence[Origin]) -> list[str]:
    """``// softmax (amax, sub, exp, sum, div), argmax``."""
    shown: list[str] = []
    for origin in origins:
        parts = [p.strip("_") for p in origin.parts]
        own = origin.name.strip("_")
        shown.append(plain_name(own) if parts == [own] else f"{plain_name(own)} ({', '.join(parts)})")
    text = fill(", ".join(shown), WIDTH - 3, break_on_hyphens=False)
    return [f"// {line}" for line in text.splitlines()]
