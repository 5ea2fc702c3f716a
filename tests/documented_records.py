"""Records that are printed as JSON, and the tables of docs/ that describe them field by field."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

DOCS = Path(__file__).parents[1] / "docs"


def records_in(models: Iterable[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """These records and all inside them, by name."""
    found: dict[str, type[BaseModel]] = {}
    pending = list(models)
    while pending:
        model = pending.pop(0)
        if model.__name__ not in found:
            found[model.__name__] = model
            parts = (part for field in model.model_fields.values() for part in _types(field.annotation))
            pending += [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return found


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def fields_of(model: type[BaseModel]) -> list[str]:
    """Names as they are printed, in order."""
    return [field.alias or key for key, field in model.model_fields.items()]


def documented_fields(*pages: str) -> dict[str, list[str]]:
    """Per section with a table of fields, the names in its first column."""
    found: dict[str, list[str]] = {}
    for page in pages:
        for section in re.split(r"^###? ", (DOCS / page).read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = section.partition("\n")
            if "| field |" in body:
                found[title.strip()] = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    return found
