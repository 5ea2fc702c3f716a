"""Channels-last as a variant: the same values, kernels laid out once per load, where there is something to lay out."""

import pytest
import torch
from sketches import build
from torch import nn

from kernelwright import problems
from kernelwright.authors import Task, get
from kernelwright.authors.graph.capture import capture
from kernelwright.authors.rewriter.author import find_variants
from kernelwright.authors.rewriter.channels_last import in_channels_last
from kernelwright.schema import Attempt, Candidate, DeviceFacts, Problem, Status, Verdict

PROBLEM = """
import torch
from torch import nn
class Model(nn.Module):
    def __init__(self, rank):
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[rank]
        self.first = conv(3, 8, 3, padding=1)
        self.norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[rank](8)
        self.second = conv(8, 4, 3, stride=2, groups=2)
        self.up = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[rank](4, 5, 3)
    def forward(self, x):
        return self.up(torch.sigmoid(self.second(torch.relu(self.norm(self.first(x))))) * x.mean()).flatten(2)
def get_inputs():
    return [torch.randn(2, 3, *[8] * RANK)]
def get_init_inputs():
    return [RANK]
"""
PLAIN = PROBLEM.replace("self.norm(self.first(x))", "self.first(x)").replace("x.mean()", "0.5 + x.mean()")


def task(source: str, platform: str = "cuda", rank: int = 2) -> Task:
    problem = Problem(name="convolutions", format="kernelbench", source=source.replace("RANK", str(rank)))
    facts = DeviceFacts(platform=platform, name="test", memory_bytes=1, cores=1, cache_bytes=0)
    return Task(problem=problem, facts=facts, platform=platform)


def history(count: int) -> list[Attempt]:
    """Attempts that were made already."""
    candidate = Candidate(source="", author="rewriter+inductor", title="", explanation="")
    return [
        Attempt(
            run="r",
            number=k + 1,
            author="rewriter+inductor",
            candidate=candidate,
            verdict=Verdict(status=Status.CORRECT),
            created="now",
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("source", [PROBLEM, PLAIN], ids=["rewritten", "as it is"])
def test_the_last_variant_on_cuda_is_in_channels_last(rank: int, source: str) -> None:
    asked = task(source, rank=rank)
    captured, variants = find_variants(asked)
    last = variants[-1]
    assert [variant.channels_last for variant in variants] == [False] * (len(variants) - 1) + [True]
    assert last.title.endswith("channels last") and "channels-last" in last.explanation
    loaded = problems.load(asked.problem)
    reference, (x,) = loaded.build(1), loaded.draw(2)
    module = build(last.write(captured))
    module.load_state_dict(reference.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(module(x), reference(x), rtol=1e-4, atol=1e-5)
    layout = torch.channels_last if rank == 2 else torch.channels_last_3d
    kernels = [t for name, t in module.named_buffers() if name.startswith("folded") and t.dim() == rank + 2]
    assert len(kernels) >= 3 and all(k.is_contiguous(memory_format=layout) for k in kernels)


def test_the_compiler_gets_it_too_after_its_modes() -> None:
    third = get("rewriter+inductor").propose(task(PROBLEM), history(2))
    assert isinstance(third, Candidate)
    assert third.title.startswith("rewritten: ") and third.title.endswith("channels last; compiled (default)")
    assert "@torch.compile(dynamic=False)" in third.source and "torch.channels_last" in third.source
    assert get("rewriter+inductor").propose(task(PROBLEM), history(3)) is None


def test_other_platforms_keep_their_layout() -> None:
    assert not any(variant.channels_last for variant in find_variants(task(PROBLEM, "cpu"))[1])


class Strided(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return torch.as_strided(self.conv(x), (2, 2), (1, 2))


@pytest.mark.parametrize(
    ("module", "shape"), [(nn.Conv1d(2, 2, 3), (1, 2, 9)), (nn.Linear(4, 4), (2, 4)), (Strided(), (1, 2, 3, 3))]
)
def test_where_there_is_nothing_to_lay_out(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert in_channels_last(capture(module, (torch.randn(shape),)).graph) is None
