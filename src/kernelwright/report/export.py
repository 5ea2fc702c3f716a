"""A terminal picture without a terminal."""

import io
from pathlib import Path

from rich.console import Console, RenderableType


def export_svg(renderables: list[RenderableType], path: Path, title: str, width: int = 110) -> None:
    """Write what a terminal of ``width`` columns would show as one SVG file."""
    console = Console(record=True, width=width, force_terminal=True, color_system="truecolor", file=io.StringIO())
    for renderable in renderables:
        console.print(renderable)
    console.save_svg(str(path), title=title)
