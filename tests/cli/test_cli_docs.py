"""docs/verdict.md and docs/json.md describe what is printed: every field, and examples that the code reads back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from kernelwright.cli.objects import (
    DoctorObject,
    OptimizeObject,
    ProfileObject,
    RunsObject,
    ShowAttemptObject,
    ShowRunObject,
)
from kernelwright.schema import Isolation, Precision, Status, Target, Verdict

DOCS = Path(__file__).parents[2] / "docs"
OBJECTS: dict[str, type[BaseModel]] = {
    "kernelwright.verdict/1": Verdict,
    "kernelwright.optimize/1": OptimizeObject,
    "kernelwright.runs/1": RunsObject,
    "kernelwright.run/1": ShowRunObject,
    "kernelwright.attempt/1": ShowAttemptObject,
    "kernelwright.profile/1": ProfileObject,
    "kernelwright.doctor/1": DoctorObject,
}


def parts_of(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    if model not in seen:
        seen.append(model)
        for field in model.model_fields.values():
            for part in _types(field.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    parts_of(part, seen)
    return seen


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


RECORDS = {part.__name__: part for model in OBJECTS.values() for part in parts_of(model, [])}


def documented_fields() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for page in ("verdict.md", "json.md"):
        for section in re.split(r"^###? ", (DOCS / page).read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = section.partition("\n")
            if "| field |" in body:
                found[title.strip()] = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    return found


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_is_documented_in_order(name: str) -> None:
    fields = [field.alias or key for key, field in RECORDS[name].model_fields.items()]
    assert documented_fields()[name] == fields


def test_nothing_else_is_documented() -> None:
    assert set(documented_fields()) == set(RECORDS)


@pytest.mark.parametrize("values", [Status, Precision, Target, Isolation])
def test_every_value_is_named(values: Any) -> None:
    page = (DOCS / "verdict.md").read_text()
    assert all(f"`{value}`" in page for value in values)


def examples() -> dict[str, str]:
    pages = (DOCS / "verdict.md").read_text() + (DOCS / "json.md").read_text()
    return dict(re.findall(r"^```json (\S+)\n(.*?)^```$", pages, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("schema", OBJECTS)
def test_the_examples_are_what_the_code_prints(schema: str) -> None:
    example = json.loads(examples()[schema])
    assert example["schema"] == schema
    assert json.loads(OBJECTS[schema].model_validate(example).model_dump_json(by_alias=True)) == example
