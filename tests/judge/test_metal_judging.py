"""Metal candidates where there is no Apple GPU: checked and counted, not timed."""

import pytest

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.findings import Stopped
from kernelwright.judge.metal import MetalWatch
from kernelwright.schema import Candidate, Problem, Status, Target, Verdict

PROBLEM = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return torch.softmax(x * self.scale, dim=1)

def get_inputs():
    return [torch.randn(48, 256)]

def get_init_inputs():
    return [256]
"""

CANDIDATE = '''
import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

kernel void softmax(device const float* x, device const float* scale, device float* y, constant int& width,
                    uint row [[threadgroup_position_in_grid]], uint t [[thread_position_in_threadgroup]]) {
  threadgroup float total;
  const device float* mine = x + row * width;
  float most = -INFINITY;
  for (int i = t; i < width; i += 32) most = max(most, mine[i] * scale[i]);
  most = simd_max(most);
  float sum = 0;
  for (int i = t; i < width; i += 32) sum += precise::exp(mine[i] * scale[i] - most);
  sum = simd_sum(sum);
  if (t == 0) total = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (int i = t; i < width; i += 32) y[row * width + i] = precise::exp(mine[i] * scale[i] - most) / total;
}
"""

class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.library = torch.mps.compile_shader(SOURCE)

    def forward(self, x):
        y = torch.empty_like(x)
        rows, width = x.shape
        self.library.softmax(x, self.scale, y, width, threads=32 * rows, group_size=32, arg_casts={3: "int32"})
        return y
'''


@pytest.fixture(scope="module")
def session(toolchain):
    settings = JudgeSettings(time_limit=60.0, unsafe=True)
    problem = Problem(name="sample", format="kernelbench", source=PROBLEM)
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        yield session


def judge(session: JudgeSession, source: str) -> Verdict:
    return session.judge(Candidate(source=source, author="test", target=Target.METAL))


def changed(old: str, new: str) -> str:
    assert old in CANDIDATE
    return CANDIDATE.replace(old, new)


def test_a_good_candidate_is_checked_and_counted_but_not_timed(session: JudgeSession) -> None:
    verdict = judge(session, CANDIDATE)
    assert verdict.status is Status.CORRECT, verdict.feedback
    assert verdict.timing is None and verdict.speedup.eager is None and verdict.limits is None
    assert verdict.feedback == "Correct: checked on the Metal runtime (CPU), not timed."
    work = verdict.metal
    assert work is not None and work.note == "checked on the Metal runtime (CPU), not timed"
    (kernel,) = work.kernels
    assert (kernel.name, kernel.launches, kernel.group, kernel.grid) == ("softmax", 1, (32, 1, 1), (48 * 32, 1, 1))
    assert (kernel.threadgroups, kernel.threadgroups_watched) == (48, 48)
    assert kernel.barriers == 48
    x, scale, y, width = kernel.buffers
    assert (x.read_bytes, x.written_bytes) == (3 * 48 * 256 * 4, 0)
    assert (scale.read_bytes, y.written_bytes) == (3 * 48 * 256 * 4, 48 * 256 * 4)
    assert (y.name, width.name) == ("y", "width")
    assert work.device_bytes == x.read_bytes + scale.read_bytes + y.written_bytes
    assert work.distinct_device_bytes == 2 * 48 * 256 * 4 + 256 * 4 + 4  # x, y; scale; width
    assert work.flops > 5 * 48 * 256
    assert work.modelled and all(time.ms > 0 for time in work.modelled)
    assert Verdict.model_validate(verdict.to_json()) == verdict


@pytest.mark.parametrize(
    ("old", "new", "rule", "told"),
    [
        ("y[row * width + i] =", "y[row * width + i + 1] =", "metal_out_of_bounds", "y[row * width + i + 1]"),
        ("  threadgroup_barrier(mem_flags::mem_threadgroup);\n", "", "metal_race", "/ total;"),
        (
            "  threadgroup_barrier(mem_flags::mem_threadgroup);\n",
            "  if (t < 16) threadgroup_barrier(mem_flags::mem_threadgroup);\n",
            "metal_divergence",
            "threadgroup_barrier",
        ),
    ],
)
def test_what_the_sanitizer_sees_ends_the_judgement(
    session: JudgeSession, old: str, new: str, rule: str, told: str
) -> None:
    verdict = judge(session, changed(old, new))
    assert (verdict.status, verdict.rule) == (Status.RUNTIME_FAILED, rule), verdict.feedback
    assert told in verdict.feedback
    assert verdict.metal is None


def test_a_candidate_that_catches_the_report_gains_nothing(session: JudgeSession) -> None:
    hidden = (
        changed("y[row * width + i] =", "y[row * width + i + 1] =")
        .replace(
            "        self.library.softmax(",
            "        try:\n            self.library.softmax(",
        )
        .replace(
            "        return y\n",
            "        except RuntimeError:\n            y = torch.softmax(x * self.scale, 1)\n        return y\n",
        )
    )
    assert judge(session, hidden).rule == "metal_out_of_bounds"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("if (t == 0) total", "total", "race: write of 4 bytes at byte 0 of threadgroup memory total"),
        ("sum = simd_sum(sum);", "if (t < 16) sum += simd_sum(sum) * 0; sum = simd_sum(sum);", "this simd_sum"),
    ],
)
def test_what_the_checks_only_suspect_is_a_warning(session: JudgeSession, old: str, new: str, said: str) -> None:
    verdict = judge(session, changed(old, new))
    assert verdict.status is Status.CORRECT, verdict.feedback
    assert len(verdict.warnings) >= 1 and said in verdict.warnings[0]


def test_wrong_numbers_are_a_mismatch(session: JudgeSession) -> None:
    assert judge(session, changed("/ total", "/ (total + 1)")).status is Status.MISMATCH


def test_an_output_that_was_not_written_is_seen(session: JudgeSession) -> None:
    verdict = judge(session, changed("threads=32 * rows", "threads=32 * (rows - 1)"))
    assert verdict.status is Status.MISMATCH


def test_outputs_stay_on_the_device(session: JudgeSession) -> None:
    verdict = judge(session, changed("return y", "return y.cpu()"))
    assert (verdict.status, verdict.rule) == (Status.MISMATCH, "device")
    assert "expected mps" in verdict.feedback


def test_no_metal_is_a_compilation_that_failed(session: JudgeSession) -> None:
    verdict = judge(session, changed("float sum = 0;", "double sum = 0;"))
    assert verdict.status is Status.COMPILE_FAILED
    assert "double sum = 0;" in verdict.feedback and "section 2.1" in verdict.feedback


def test_a_candidate_without_a_kernel_is_rejected(session: JudgeSession) -> None:
    plain = PROBLEM.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")
    verdict = judge(session, plain)
    assert (verdict.status, verdict.rule) == (Status.REJECTED, "no_own_kernel")
    assert verdict.labels == ("launches_no_kernel",)


def test_a_record_that_is_no_record_is_rejected() -> None:
    watch = MetalWatch("cpu")
    watch.request()
    with pytest.raises(Stopped) as raised:
        watch.saw({"kernels": [{"kernel": "f", "launches": "many"}]})
    assert raised.value.finding.rule == "protocol"


def test_the_first_call_is_watched_longest_and_orders_change() -> None:
    watch = MetalWatch("cpu", also=2)
    requests = [watch.request() for _ in range(4)]
    assert [r["inspecting"] for r in requests] == [True, False, True, False]
    assert [r["order"] for r in requests[:3]] == ["ascending", "descending", "shuffled"]
