"""The Metal kernels of MLX (mlx/backend/metal/kernels): cases by theme."""

from collections.abc import Iterator
from importlib import import_module

from corpora.cases import Case

THEMES = (
    "elementwise", "copies", "rows", "reductions", "ordering", "products", "blocks", "attention", "quantization",
    "convolutions", "transforms",
)  # fmt: skip


def cases() -> Iterator[Case]:
    """All of them, in the order of the themes."""
    for theme in THEMES:
        yield from import_module(f"corpora.mlx.{theme}").cases()
