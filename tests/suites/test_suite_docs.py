"""docs/suites.md describes the results file and what is printed, field by field."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from kernelwright.cli.suite_objects import SuiteRunObject
from kernelwright.suites.records import SuiteResults
from kernelwright.suites.scores import SuiteScore

DOCS = Path(__file__).parents[2] / "docs"


def parts(model: type[BaseModel], seen: dict[str, type[BaseModel]]) -> dict[str, type[BaseModel]]:
    if model.__name__ not in seen:
        seen[model.__name__] = model
        for field in model.model_fields.values():
            for part in types(field.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    parts(part, seen)
    return seen


def types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from types(argument)


RECORDS: dict[str, type[BaseModel]] = {}
for top in (SuiteResults, SuiteRunObject, SuiteScore):
    parts(top, RECORDS)
OWN = {name: model for name, model in RECORDS.items() if "suite" in model.__module__}


def documented(*pages: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for page in pages:
        for section in re.split(r"^###? ", (DOCS / page).read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = section.partition("\n")
            if "| field |" in body:
                found[title.strip()] = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    return found


@pytest.mark.parametrize("name", OWN)
def test_every_field_of_a_suite_is_documented_in_order(name: str) -> None:
    fields = [field.alias or key for key, field in OWN[name].model_fields.items()]
    assert documented("suites.md")[name] == fields


def test_no_other_record_is_documented_there() -> None:
    assert set(documented("suites.md")) == set(OWN)


def test_the_other_records_are_documented_elsewhere() -> None:
    assert set(RECORDS) - set(OWN) <= set(documented("verdict.md", "json.md"))
