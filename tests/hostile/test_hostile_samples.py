"""The samples themselves: their headers are whole, and those that should come close to the reference do.

A hostile sample that misses even the loosest tolerance shows nothing about a judge. Only samples that are harmless
outside an isolated process run here.
"""

import importlib.util
from types import ModuleType

import pytest
import torch
from hostile_samples import HERE, Sample, honest, hostile

from kernelwright.judge.dispatched import tensors

STATES = {
    "compile_failed",
    "correct",
    "crashed",
    "generation_failed",
    "labelled",
    "mismatch",
    "no_gain",
    "out_of_memory",
    "rejected",
    "remarked",
    "runtime_failed",
    "timed_out",
}


PLAIN = [s for s in honest() if s.platform is None and s.target == "torch" and not s.slow]
"""Honest samples that need nothing but torch."""


def module_of(path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sample_{path.parent.name}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(sample: Sample) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The reference's and the sample's outputs on one draw of the problem, with the same weights by order."""
    problem, candidate = module_of(sample.problem_path), module_of(sample.path)
    torch.manual_seed(5)
    reference = problem.Model(*problem.get_init_inputs()).eval()
    rewritten = candidate.ModelNew(*problem.get_init_inputs()).eval()
    with torch.no_grad():
        mine, theirs = list(rewritten.state_dict().values()), list(reference.state_dict().values())
        for target, value in zip(mine, theirs, strict=True):
            target.copy_(value)
        inputs = problem.get_inputs()
        expected, got = reference(*inputs), rewritten(*inputs)
    return tuple(tensors(y) for y in (expected, got))


def test_headers_are_whole():
    samples = hostile()
    assert len(samples) >= 60
    assert len(honest()) >= 60
    assert {s.problem for s in samples + honest()} <= {p.stem for p in (HERE / "problems").glob("*.py")}
    for sample in samples:
        assert sample.expect and sample.expect <= STATES, sample.name
        assert sample.timing or "no_gain" not in sample.expect, sample.name
        assert bool(sample.labels) == ("labelled" in sample.expect), sample.name


@pytest.mark.parametrize("sample", [s for s in hostile() if s.passes], ids=lambda s: s.name)
def test_hostile_sample_comes_close(sample: Sample):
    expected, got = outputs(sample)
    tolerance = {"exact": 1e-6, "1e-2": 1e-2}[sample.passes]
    for a, b in zip(expected, got, strict=True):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("sample", PLAIN, ids=lambda s: s.name)
def test_honest_sample_is_right(sample: Sample):
    expected, got = outputs(sample)
    for a, b in zip(expected, got, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert torch.allclose(a.double(), b.double(), rtol=1e-4, atol=2e-5)
