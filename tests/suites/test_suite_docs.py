"""docs/suites.md describes the results file and what is printed, field by field."""

import pytest

from documented_records import documented_fields, fields_of, records_in
from kernelwright.cli.suite_objects import SuiteRunObject
from kernelwright.suites.records import SuiteResults
from kernelwright.suites.scores import SuiteScore

RECORDS = records_in((SuiteResults, SuiteRunObject, SuiteScore))
OWN = {name: model for name, model in RECORDS.items() if "suite" in model.__module__}


@pytest.mark.parametrize("name", OWN)
def test_every_field_of_a_suite_is_documented_in_order(name: str) -> None:
    assert documented_fields("suites.md")[name] == fields_of(OWN[name])


def test_no_other_record_is_documented_there() -> None:
    assert set(documented_fields("suites.md")) == set(OWN)


def test_the_other_records_are_documented_elsewhere() -> None:
    assert set(RECORDS) - set(OWN) <= set(documented_fields("verdict.md", "json.md"))
