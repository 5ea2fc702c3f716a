"""The catalogue: every sample is in it, every rule that the judge knows, and the page is the one it makes."""

import ast
import inspect
from pathlib import Path

import pytest
from hostile_samples import Sample, hostile

import kernelwright.judge
from kernelwright.judge.correctness import METAMORPHIC
from kernelwright.judge.integrity import ATTACKS, GAPS, MEASURES, RULES
from kernelwright.judge.integrity.page import PAGE, page, results
from kernelwright.metal.reports import ReportKind

ROOT = Path(__file__).parents[2]
SAMPLES = {sample.name: sample for sample in hostile()}


def test_there_is_an_attack_for_everything_that_was_asked_for():
    assert len(ATTACKS) >= 45
    assert len({attack.title for attack in ATTACKS}) == len(ATTACKS)


def test_every_sample_belongs_to_an_attack_or_a_gap_and_every_name_is_a_sample():
    named = [name for known in (*ATTACKS, *GAPS) for name in known.samples]
    assert set(named) == set(SAMPLES)
    assert all(attack.samples for attack in ATTACKS)
    in_gaps = {name for gap in GAPS for name in gap.samples}
    assert not in_gaps & {name for attack in ATTACKS for name in attack.samples}


def test_what_is_accepted_is_a_gap_or_labelled():
    in_gaps = {name for gap in GAPS for name in gap.samples}
    for sample in SAMPLES.values():
        if sample.expect & {"correct", "remarked"}:
            assert sample.name in in_gaps, sample.name


def test_every_defence_is_known_and_used():
    used = {name for attack in ATTACKS for name in attack.stopped_by}
    assert used <= set(RULES) | set(MEASURES)
    assert not set(RULES) & set(MEASURES)
    assert set(MEASURES) - used <= {"remark"}
    assert all(attack.defences for attack in ATTACKS)


def rules_in_the_code() -> set[str]:
    """Every literal that is handed to ``stop`` or to a ``Finding`` as its rule."""
    found: set[str] = set()
    for path in Path(inspect.getfile(kernelwright.judge)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "stop":
                rule = node.args[1]
                if isinstance(rule, ast.Constant):
                    found.add(rule.value)
    return found


def test_every_rule_of_the_judge_is_in_the_registry():
    found = rules_in_the_code()
    assert len(found) >= 25
    assert found <= set(RULES)
    of_numbers = {"structure", "shape", "dtype", "value", "nonfinite", "allclose", "norm", "worst", "small", "lost"}
    assert of_numbers | {rule for rule, _ in METAMORPHIC.values()} <= set(RULES)
    assert {f"metal_{kind.value}" for kind in ReportKind} <= set(RULES)


def test_the_page_is_the_one_that_the_catalogue_makes():
    made = page(results(ROOT))
    assert (ROOT / PAGE).read_text() == made, "python -m kernelwright.judge.integrity.page"
    assert all(attack.title in made for attack in ATTACKS)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_published_results_are_of_these_samples(platform):
    found = results(ROOT)["a CPU" if platform == "cpu" else "an NVIDIA GPU"]["samples"]
    mine: list[Sample] = [s for s in SAMPLES.values() if (s.platform or "cpu") == platform]
    assert {s.name for s in mine} <= set(found)
    assert all(entry["right"] for entry in found.values())
