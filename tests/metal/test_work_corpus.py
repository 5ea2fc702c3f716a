"""An inspection sees what a call of a checked kernel sees, and leaves no trace."""

from typing import Any

import pytest
import torch
from sanitizer_corpus import Case, cases

from kernelwright import metal

BUGS, CLEAN = cases("bugs"), cases("clean")
pytestmark = pytest.mark.usefixtures("toolchain")


def _inspected(case: Case) -> metal.Inspection:
    """Over all threadgroups."""
    library = metal.compile_shader(case.source, check=True, file=case.path.name)
    tensors = case.tensors()
    call: dict[str, Any] = {"threads": case.threads, "group_size": case.group, "threadgroup_bytes": case.memory or None}
    inspection = getattr(library, case.kernel).inspect(*tensors, **call)
    for tensor, fresh in zip(tensors, case.tensors(), strict=True):
        assert torch.equal(tensor, fresh)
    return inspection


@pytest.mark.parametrize("case", BUGS, ids=lambda case: case.path.stem)
def test_an_inspection_reports_what_a_call_raises(case: Case):
    assert _inspected(case).reports == case.reports()


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.path.stem)
def test_clean_kernels_run_to_their_end(case: Case):
    inspection = _inspected(case)
    work = inspection.work
    broken = [report for report in inspection.reports if not report.suspicion]
    assert (broken, inspection.gave_up, work.groups_run) == ([], False, work.groups)
    assert sum(buffer.written_bytes for buffer in work.buffers) > 0
    for access in work.accesses:
        assert 0 < access.ideal_transactions <= access.transactions
        assert 0 < access.accesses <= access.bytes
    in_buffers = sum(access.bytes for access in work.accesses if access.buffer is not None)
    updated = sum(buffer.read_bytes + buffer.written_bytes for buffer in work.buffers) - in_buffers
    assert updated == 0 if not work.atomics else updated >= 0  # of atomic updates an access is one of the two
