"""The page about strictness says what the rules say."""

import re
from pathlib import Path

from kernelwright.metal import strict  # registers the rules
from kernelwright.metal.strict.document import page
from kernelwright.metal.strict.rules import rules

PAGE = Path(__file__).parents[2] / "docs" / "metal-strictness.md"


def test_the_page_is_what_the_rules_generate():
    assert strict.__doc__
    assert PAGE.read_text() == page()


def test_every_rule_says_why_in_one_sentence_and_names_a_section():
    for rule in rules():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
        assert rule.section
        assert rule.reason[0].isupper()
        assert rule.reason.endswith(".")
        assert "\n" not in rule.reason
        assert f"| `{rule.name}` |" in page()
