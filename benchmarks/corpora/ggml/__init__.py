"""ggml's Metal kernels (src/ggml-metal/ggml-metal.metal): cases by theme."""

from collections.abc import Iterator
from importlib import import_module

from corpora.cases import Case
from corpora.ggml.arguments import Arguments

THEMES = ("elementwise", "rows", "products", "windows", "attention")

FILE = "ggml-metal.metal"


def cases(arguments: Arguments) -> Iterator[Case]:
    """All of them, in the order of the themes."""
    for theme in THEMES:
        yield from import_module(f"corpora.ggml.{theme}").cases(arguments)
