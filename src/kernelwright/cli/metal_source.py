"""A Metal file and what it is compiled with, as words on the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright.cli.usage import fail

if TYPE_CHECKING:
    from kernelwright.metal.program import Program


class MetalSource:
    """One file, with its macros, folders and function constants."""

    def __init__(self, file: str, include: list[str] | None, define: list[str] | None, constant: list[str] | None):
        from kernelwright.cli import given

        self.file = file
        self.text = given.readable_file(file, "Metal")
        self.folders = [Path(file).parent, *map(Path, include or ())]
        self.macros = dict(pair(text, "1") for text in define or ())
        self.constants: dict[str | int, bool | int | float] = {
            name: _number(name, value) for name, value in (pair(text) for text in constant or ())
        }

    def build(self, **what: Any) -> "Program":
        """Raises what ``metal.program.build`` raises."""
        from kernelwright.metal.program import build

        return build(
            self.text,
            includes=self.folders,
            defines=self.macros,
            constants=self.constants,
            file=self.file,
            **what,
        )


def pair(text: str, default: str | None = None) -> tuple[str, str]:
    """``NAME=VALUE``; where there is a default, ``NAME`` alone will do."""
    name, sign, value = text.partition("=")
    if not name or not (sign or default):
        fail(f"{text!r} is not NAME=VALUE")
    return name, value if sign else default or ""


def _number(name: str, text: str) -> bool | int | float:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        fail(f"constant {name}: {text!r} is no number, true or false")
