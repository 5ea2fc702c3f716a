"""docs/rewriter.md lists the rules as they are."""

from pathlib import Path

import pytest

from kernelwright.authors.rewriter.page import SUBJECTS, renewed
from kernelwright.authors.rewriter.rules import ALL

PAGE = Path(__file__).parents[2] / "docs/rewriter.md"


def test_the_page_is_as_the_rules_make_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    command = "python -m kernelwright.authors.rewriter.page docs/rewriter.md"
    assert renewed(text) == text, f"renew the page: {command}"


def test_every_rule_stands_on_the_page_once() -> None:
    assert sorted(rule.name for _, rules in SUBJECTS for rule in rules) == sorted(rule.name for rule in ALL)


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="rules: begin"):
        renewed("# The rewriter\n")
