"""Every prompt as it reads, with a short example in the place of the real one.

``pytest --snapshot-update`` accepts changes.
"""

import ast

import pytest
import torch
from model_author_kit import PROBLEM, ScriptedModel, counted, failed, file, proposed, task, timed
from syrupy.assertion import SnapshotAssertion

from kernelwright.authors import AuthorError
from kernelwright.authors.file import defines_model_new, detect_target
from kernelwright.authors.language_model import LanguageModelAuthor, conversation
from kernelwright.authors.language_model.templates import PROMPTS, worked_example
from kernelwright.judge.findings import Stopped
from kernelwright.judge.source import read
from kernelwright.problems import from_module
from kernelwright.schema import (
    Advice,
    Bottleneck,
    Candidate,
    ContextPiece,
    DeviceFacts,
    MetalAccess,
    MetalBuffer,
    Operation,
    Precision,
    Profile,
    Prompt,
    Recommendation,
    Roofline,
    Target,
    Text,
)

GPU = DeviceFacts(
    platform="cuda", name="NVIDIA T1000", memory_bytes=16 << 30, cores=14, cache_bytes=1 << 20,
    details={"capability": "7.5", "driver": "", "warp_size": "32"},
)  # fmt: skip
MAC = DeviceFacts(platform="mps", name="Apple M2", memory_bytes=16 << 30, cores=10, cache_bytes=0)
EVERYTHING = frozenset(ContextPiece)


@pytest.fixture(autouse=True)
def short_example(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(conversation, "worked_example", lambda target: (f"# {target.value} problem", "# its candidate"))
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))  # nobody's own pages


def prompt_for(history=(), **fields) -> Prompt:
    model = ScriptedModel()
    proposed(LanguageModelAuthor(model).propose(task(**fields), history))
    return model.prompts[0]


@pytest.mark.parametrize(
    ("target", "platform", "facts"),
    [
        (Target.METAL, "cpu", None),
        (Target.METAL, "mps", MAC),
        (Target.CUDA, "cuda", GPU),
        (Target.TRITON, "cuda", GPU),
        (Target.TRITON, "cpu", None),
        (Target.CPP, "cpu", None),
        (Target.TORCH, "cpu", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_system(target: Target, platform: str, facts: DeviceFacts | None, snapshot: SnapshotAssertion):
    given = {"facts": facts} if facts else {}
    assert prompt_for(target=target, platform=platform, **given).system == snapshot


@pytest.mark.parametrize("precision", Precision)
def test_accuracy_rule(precision: Precision, snapshot: SnapshotAssertion):
    system = prompt_for(precision=precision).system
    assert system[system.index("**Accuracy") : system.index("**Timing")].strip() == snapshot


def test_first_turn(snapshot: SnapshotAssertion):
    prompt = prompt_for(
        context=EVERYTHING,
        target=Target.METAL,
        reference=Text(name="scaled_rows.cu", text="__global__ void scaled_rows() {}\n"),
        docs=(Text(name="simd.md", text="Use `simd_sum`."), Text(name="b.md", text="a line\n" * 8_000)),
        peers=(counted(5, 1.0).model_copy(update={"author": "inductor-metal"}),),
    )
    (message,) = prompt.messages
    assert message.text.replace("a line\n" * 100, "") == snapshot


def test_first_turn_of_a_problem_without_source(snapshot: SnapshotAssertion):
    module = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU())
    problem = from_module(module, [torch.randn(2, 8)], name="small")
    (message,) = prompt_for(problem=problem).messages
    assert message.text == snapshot


def test_feedback(snapshot: SnapshotAssertion):
    warned = failed(3, feedback="compilation failed during import:\ncandidate.py:3: error: no such name\n   3 | foo()")
    warned = warned.model_copy(update={"verdict": warned.verdict.model_copy(update={"warnings": ("line 3 is long",)})})
    assert prompt_for((failed(1), failed(2), warned)).messages[-1].text == snapshot


def test_optimise(snapshot: SnapshotAssertion):
    history = (timed(1, 1.1), timed(2, 2.0, base=1), timed(3, 1.5, base=2))
    prompt = prompt_for(history, target=Target.CPP)
    assert prompt.messages[-1].text == snapshot
    assert [m.role for m in prompt.messages] == ["user", "assistant", "user"]
    assert file("2") in prompt.messages[1].text


def test_optimise_by_a_profile(snapshot: SnapshotAssertion):
    profile = Profile(
        tool="ncu", platform="cuda", device="NVIDIA T1000", wall_ms=5.0, device_ms=4.5,
        operations=(
            Operation(name="rows_kernel", launches=1, device_ms=4.0, bytes_moved=33 << 20, flops=8_400_000,
                      occupancy=0.25, registers=128, shared_bytes=4096),
            Operation(name="aten::sum", launches=2.5, host_ms=0.3),
        ),
        counters={"l2_hit_rate": 0.125},
        roofline=Roofline(flops=8_400_000, bytes_moved=33 << 20, bandwidth=128e9, flop_rate=2.5e12, time_ms=5.0),
        notes=("occupancy is theoretical",),
    )  # fmt: skip
    recommendation = Recommendation(
        bottleneck=Bottleneck.OCCUPANCY, change="Halve the registers with __launch_bounds__(256, 4).",
        expected_gain=1.4, confidence=0.6, evidence="occupancy 25 % at 128 registers",
    )  # fmt: skip
    advice = Advice(about=1, analyst="rules", profile=profile, recommendation=recommendation)
    prompt = prompt_for(
        (timed(1, 2.0),), target=Target.CUDA, platform="cuda", facts=GPU, context=EVERYTHING, advice=advice
    )
    assert prompt.messages[-1].text == snapshot


def test_optimise_counted_work(snapshot: SnapshotAssertion):
    best = counted(1, 2.0)
    assert best.verdict.metal is not None
    kernel = best.verdict.metal.kernels[0].model_copy(update={
        "buffers": (
            MetalBuffer(index=0, name="x", space="device", read_bytes=1 << 20, written_bytes=0,
                        distinct_read_bytes=1 << 15, distinct_written_bytes=0),
            MetalBuffer(index=1, name="n", space="constant", read_bytes=4, written_bytes=0,
                        distinct_read_bytes=4, distinct_written_bytes=0),
        ),
        "accesses": (
            MetalAccess(line=7, space="device", write=False, name="x", accesses=64, bytes=256, transactions=64,
                        ideal_transactions=2),
            MetalAccess(line=9, space="threadgroup", write=True, name="tile", accesses=64, bytes=256, transactions=16,
                        ideal_transactions=2),
            MetalAccess(line=11, space="device", write=True, name="out", accesses=64, bytes=256, transactions=2,
                        ideal_transactions=2),
        ),
    })  # fmt: skip
    work = best.verdict.metal.model_copy(update={"kernels": (kernel,)})
    advice = Advice(about=1, analyst="rules", profile=Profile(tool="metal-runtime", platform="cpu", metal=work))
    prompt = prompt_for((best,), target=Target.METAL, context=EVERYTHING, advice=advice)
    assert prompt.messages[-1].text == snapshot


def test_the_judges_rules_are_those_of_the_judge():
    """Figures that the prompt names are the judge's own."""
    from kernelwright.judge.settings import JudgeSettings
    from kernelwright.judge.yardstick import constants_for

    system = prompt_for().system
    settings, wide, half = JudgeSettings(), constants_for(torch.float32), constants_for(torch.float16)
    assert f"{settings.memory_limit >> 30} GiB of memory, {settings.time_limit:.0f} s" in system
    assert f"at most {wide.multiple} times eager PyTorch's own, norm-wise, and {wide.worst_multiple} times" in system
    assert f"(16-bit outputs: {half.multiple} and {half.worst_multiple} times)" in system


@pytest.mark.parametrize("target", [t for t in Target if t is not Target.CUDA])
def test_what_may_be_imported_is_what_the_judge_allows(target: Target):
    system = prompt_for(target=target).system
    allowed = next(line for line in system.split(". ") if line.startswith("It may import "))
    for package in ("triton", "cuda"):
        candidate = Candidate(source=f"import {package}\nclass ModelNew: ...", author="a", target=target)
        if package in allowed:
            assert all(remark.label == "" for remark in read(candidate))
        else:
            with pytest.raises(Stopped, match="imports"):
                read(candidate)


@pytest.mark.parametrize("target", Target)
def test_every_target_has_its_pages_and_its_example(target: Target):
    folder = PROMPTS / target.value
    assert {"target.md", "levers.md", "example_problem.py", "example_candidate.py"} <= {
        p.name for p in folder.iterdir()
    }
    problem, candidate = worked_example(target)
    assert "def forward" in problem and "def forward" in candidate
    assert defines_model_new(ast.parse(candidate))
    assert detect_target(ast.parse(candidate)) is target


def test_a_missing_example_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path):
    from kernelwright.authors.language_model import templates

    monkeypatch.setattr(templates, "PROMPTS", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"example_problem\.py"):
        worked_example(Target.METAL)


def test_a_problem_that_nobody_can_read_is_refused():
    class Branches(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(AuthorError, match=r"graph|branch|data"):
        prompt_for(problem=from_module(Branches(), [torch.randn(3)]))


def test_the_problem_reads_as_it_stands():
    assert PROBLEM.source.strip() in prompt_for().messages[0].text
