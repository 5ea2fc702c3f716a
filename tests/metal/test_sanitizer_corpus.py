"""Planted bugs are found in the right line; clean kernels are not accused."""

import pytest
import torch
from sanitizer_corpus import Case, cases

from kernelwright import metal

BUGS, CLEAN = cases("bugs"), cases("clean")
pytestmark = pytest.mark.usefixtures("toolchain")


def _name(case: Case) -> str:
    return case.path.stem


def test_the_corpus_is_large_enough() -> None:
    assert len(BUGS) >= 40
    assert len(CLEAN) >= 40
    assert {e.kind for case in BUGS for e in case.expected} == set(metal.ReportKind)
    assert not any(case.expected for case in CLEAN)


@pytest.mark.parametrize("case", BUGS, ids=_name)
def test_bug_is_found(case: Case) -> None:
    reports = case.reports()
    for expected in case.expected:
        assert any(expected.matches(report) for report in reports), f"{expected} is not in {reports}"


@pytest.mark.parametrize("case", BUGS, ids=_name)
def test_nothing_else_is_reported(case: Case) -> None:
    """What a bug brings about is not reported as bugs of other lines."""
    allowed = {(e.kind, e.line) for e in case.expected}
    assert {(r.kind, r.line) for r in case.reports()} <= allowed


@pytest.mark.parametrize("case", CLEAN, ids=_name)
def test_clean_kernel_is_not_accused(case: Case) -> None:
    assert case.reports() == ()


@pytest.mark.parametrize("case", CLEAN, ids=_name)
def test_clean_kernel_gives_the_same_in_any_order(case: Case) -> None:
    """Checked, unchecked, and with the threads in other orders."""
    fast = metal.compile_shader(case.source, file=case.path.name)
    checked = metal.compile_shader(case.source, check=True, file=case.path.name)
    results: list[list[torch.Tensor]] = []
    for library, options in (
        (fast, {}),
        (checked, {}),
        (fast, {"order": "descending"}),
        (fast, {"order": "shuffled", "seed": 1}),
        (fast, {"order": "shuffled", "seed": 2}),
    ):
        tensors = case.tensors()
        case.run(library, tensors, **options)
        results.append(tensors)
    assert any(bool((tensor != fresh).any()) for tensor, fresh in zip(results[0], case.tensors(), strict=True))
    for result in results[1:]:
        for mine, first in zip(result, results[0], strict=True):
            torch.testing.assert_close(mine.double(), first.double(), rtol=1e-5, atol=1e-6)
