"""Inputs of another size, and what a verdict says of candidates that are right for one size only."""

import pytest
import torch

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.reference.sizes import with_fewer_rows
from kernelwright.schema import Candidate, Problem, Status

PROBLEM = """
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        return x.mean(dim=1)

def get_inputs():
    return [torch.randn(40, 16)]

def get_init_inputs():
    return []
"""
ANY = PROBLEM.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(96, 4)], [[(63, 4)]]),
        ([(9,), (9, 2), (3, 9)], [[(5,), (5, 2), (3, 9)], [(5,), (9, 2), (3, 9)]]),
        ([(2, 5)], [[(1, 5)]]),
        ([(1, 5)], []),
        ([()], []),
    ],
)
def test_rows_are_cut_together_and_then_of_the_first_alone(shapes, expected):
    found = list(with_fewer_rows([torch.zeros(shape) for shape in shapes]))
    assert [[tuple(x.shape) for x in inputs] for inputs in found] == expected


@pytest.fixture(scope="module")
def session():
    problem = Problem(name="sample", format="kernelbench", source=PROBLEM)
    settings = JudgeSettings(timing=False, time_limit=20.0, unsafe=True)
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        yield session


@pytest.mark.parametrize(
    "body",
    [
        "return x.mean(dim=1)[:27] if x.shape[0] < 40 else x.mean(dim=1) + (x.shape[0] < 40)",
        "assert x.shape[0] == 40; return x.mean(dim=1)",
        "import os; x.shape[0] == 40 or os._exit(1); return x.mean(dim=1)",
        "y = torch.zeros(40); y[: x.shape[0]] = x.mean(dim=1); return y",
    ],
)
def test_a_candidate_for_one_size_is_correct_and_labelled(session, body):
    source = ANY.replace("return x.mean(dim=1)", body.replace("[:27] if", " * 2 if"))
    verdict = session.judge(Candidate(source=source, author="test"))
    assert verdict.status is Status.CORRECT
    assert "fixed_shapes" in verdict.labels and "only for the shapes of this problem" in verdict.warnings[-1]


def test_a_candidate_for_any_size_is_not_labelled(session):
    verdict = session.judge(Candidate(source=ANY, author="test"))
    assert verdict.status is Status.CORRECT and "fixed_shapes" not in verdict.labels
