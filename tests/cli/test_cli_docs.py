"""docs/verdict.md and docs/json.md describe what is printed: every field, and examples that the code reads back."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from documented_records import DOCS, documented_fields, fields_of, records_in
from kernelwright.cli.objects import (
    DoctorObject,
    OptimizeObject,
    ProfileObject,
    RunsObject,
    ShowAttemptObject,
    ShowRunObject,
)
from kernelwright.schema import Isolation, Precision, Status, Target, Verdict

OBJECTS: dict[str, type[BaseModel]] = {
    "kernelwright.verdict/1": Verdict,
    "kernelwright.optimize/1": OptimizeObject,
    "kernelwright.runs/1": RunsObject,
    "kernelwright.run/1": ShowRunObject,
    "kernelwright.attempt/1": ShowAttemptObject,
    "kernelwright.profile/1": ProfileObject,
    "kernelwright.doctor/1": DoctorObject,
}


RECORDS = records_in(OBJECTS.values())


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_is_documented_in_order(name: str) -> None:
    assert documented_fields("verdict.md", "json.md")[name] == fields_of(RECORDS[name])


def test_nothing_else_is_documented() -> None:
    assert set(documented_fields("verdict.md", "json.md")) == set(RECORDS)


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
