"""Preprocessor lines that are left after preprocessing: markers stay, pragmas are Metal's own."""

import re
from collections.abc import Iterable
from typing import Literal

from kernelwright.metal.language.tokens import Kind, Token

_MARKER = re.compile(r"\s*#\s*(?:line\s+)?\d")
_UNROLL = re.compile(r"\s*#\s*pragma\s+unroll\s*$")


def translate_directives(tokens: Iterable[Token], backend: Literal["cpu", "nvptx"]) -> None:
    """Takes the pragmas out, which C++ compilers do not know or, as ``#pragma unroll(n)``, do not survive.

    For GPUs a plain ``#pragma unroll`` stays: small arrays live in registers only in unrolled loops.
    """
    for token in tokens:
        if token.kind is Kind.DIRECTIVE and not _MARKER.match(token.text):
            token.text = token.text if backend == "nvptx" and _UNROLL.match(token.text) else ""
