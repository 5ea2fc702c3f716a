"""Outer tools around a candidate: the child that they start, and what ncu says.

``ncu_output.csv`` has the form that Nsight Compute's documentation shows; a stand-in for the program prints it.
"""

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.isolation import NoSandbox, choose
from kernelwright.judge.profiling import alone, ncu, profiler
from kernelwright.schema import Candidate, Operation, Picture, Problem, Profile

OUTPUT = Path(__file__).with_name("ncu_output.csv")
PROBLEM = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)

def get_inputs():
    return [torch.randn(8, 16)]

def get_init_inputs():
    return [16]
"""
CANDIDATE = PROBLEM.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")
NAME = "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>(int, float *)"


def launches() -> tuple[ncu.Launch, ...]:
    return ncu.parse(OUTPUT.read_text())


def test_every_launch_is_read_with_its_numbers() -> None:
    first, second, third = launches()
    assert first.kernel == "ampere_sgemm_128x64_tn" and second.kernel.startswith("void at::native::vectorized")
    assert first.ns == 117344 and first.metrics["dram__bytes_read.sum"] == 27_595_520
    assert "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active" not in third.metrics  # it says n/a
    assert set(first.metrics) <= set(ncu.METRICS)


def test_kernels_of_the_profile_get_what_ncu_counted() -> None:
    profile = Profile(
        tool="torch.profiler",
        platform="cuda",
        operations=(
            Operation(name="ampere_sgemm_128x64_tn", launches=2.0, device_ms=0.25),
            Operation(name=NAME.replace(", ", ",").replace(" *", "*"), launches=4.0, device_ms=0.1),
            Operation(name="Memcpy HtoD", launches=1.0, device_ms=0.1),
            Operation(name="aten::mm", launches=2.0, host_ms=0.2),
        ),
        counters={"kept": 1.0},
    )
    found = ncu.merged(profile, launches())
    gemm, fill, copy, host = found.operations
    assert (gemm.registers, gemm.shared_bytes, gemm.launches) == (122, 16384, 2.0)
    assert gemm.occupancy == pytest.approx(0.1925) and gemm.bytes_moved == 2 * (27_595_520 + 4_194_304)
    assert gemm.flops == 2 * (2 * 1_073_741_824 + 1024)
    assert (fill.registers, fill.bytes_moved) == (18, 4 * 2_000_000)  # the mean of two launches, four times
    assert (copy, host) == profile.operations[2:]
    times = (117_344, 5_000, 3_000)
    assert found.counters["kept"] == 1.0
    assert found.counters["lanes_active"] == pytest.approx(
        (times[0] * 32 + times[1] * 16 + times[2] * 32) / sum(times) / 32
    )
    assert found.counters["coalescing"] == pytest.approx(
        (times[0] * (0.5 + 1.0) + times[1] * 0.25 + times[2] * 0.25) / (2 * times[0] + times[1] + times[2])
    )
    assert found.counters["waves"] > 0 and "3 launches" in found.notes[-1]
    assert Profile.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "text",
    ["", "==ERROR== ERR_NVGPUCTRPERM - no permission\n", '"ID","Kernel Name"\n"0","k"\n', '"ID","Metric Name"\n"a\0'],
)
def test_output_without_figures_holds_no_launch(text: str) -> None:
    assert ncu.parse(text) == ()
    profile = Profile(tool="torch.profiler", platform="cuda")
    assert ncu.merged(profile, ()) == profile


@given(st.lists(st.text(max_size=40), max_size=8), st.integers(0, 400))
def test_prints_of_the_candidate_do_not_break_the_reader(prints: list[str], cut: int) -> None:
    text = "\n".join([*prints, OUTPUT.read_text()[: 1200 + 3 * cut], *(f'"{line}' for line in prints)])
    for launch in ncu.parse(text):
        assert all(0 <= value <= 1e18 for value in launch.metrics.values())


# --- the child --------------------------------------------------------------------------------------------------------


@pytest.fixture
def kit(monkeypatch):
    """What a session gives to the profiler."""
    given: list[profiler.Kit] = []
    monkeypatch.setattr(profiler, "profile", lambda _candidate, kit: given.append(kit))
    problem = Problem(name="sample", format="kernelbench", source=PROBLEM)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        session.profile(Candidate(source=CANDIDATE, author="test"))
        yield given[0]


def run(kit: profiler.Kit, source: str, sandbox=None, **more) -> alone.Finished:
    fds = [kit.reference.draw(kit.draw.seed, kit.draw.kind)[0]]
    order = alone.Order(source, "candidate_x", kit.seed, "cpu", "none", 2)
    sandbox = sandbox or kit.sandbox
    try:
        with alone.private_directory(sandbox) as directory:
            return alone.run(order, (kit.construction_fd, fds[0]), sandbox, directory, **{"seconds": 60.0, **more})
    finally:
        os.close(fds[0])


@pytest.mark.slow
def test_the_child_builds_and_calls_the_candidate_in_the_sandbox(kit) -> None:
    shows = CANDIDATE.replace("return", "import os; print('HERE', tuple(x.shape), os.environ.get('TOLD')); return")
    done = run(kit, shows, tool=("env", "OUTER=1"), environment={"TOLD": "yes"})
    assert done.status == 0, done.errors
    assert done.output.count("HERE (8, 16) yes") == 5  # three warm calls, then two in the range
    fails = run(kit, CANDIDATE.replace("return", "raise ValueError('no'); return"))
    assert fails.status == 1 and fails.last_words == "ValueError: no"
    if not isinstance(choose(), NoSandbox):
        reads = run(kit, CANDIDATE.replace("import torch\n", f"import torch\nopen({str(OUTPUT)!r})\n", 1))
        assert reads.status == 1 and "No such file" in reads.last_words


@pytest.mark.slow
def test_a_child_that_does_not_end_is_ended(kit) -> None:
    done = run(kit, CANDIDATE.replace("return", "import time; time.sleep(60); return"), seconds=6.0)
    assert done.status is None


STAND_IN = """\
#!{python}
import subprocess, sys
options = sys.argv[1:]
assert options[:3] == ["--csv", "--page", "details"] and "off" in options
child = options[options.index("--metrics") + 2:]
print("==PROF== Connected to process 1")
subprocess.run(child, check=True)
{answer}
"""


def stand_in(folder: Path, monkeypatch, answer: str) -> None:
    program = folder / "ncu"
    program.write_text(STAND_IN.format(python=sys.executable, answer=answer))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.slow
def test_ncu_is_run_around_the_child_and_its_table_read(kit, tmp_path: Path, monkeypatch) -> None:
    candidate = Candidate(source=CANDIDATE.replace("return", 'print("candidate"); return'), author="test")
    kit = profiler.Kit(
        **{name: getattr(kit, name) for name in profiler.Kit.__dataclass_fields__} | {"sandbox": NoSandbox()}
    )
    profile = Profile(
        tool="torch.profiler",
        platform="cuda",
        operations=(Operation(name="ampere_sgemm_128x64_tn", launches=1.0, device_ms=0.2),),
    )
    worker = kit.spawn()
    try:
        run = profiler._Profiler(candidate, worker, kit)
        stand_in(tmp_path, monkeypatch, f"print(open({str(OUTPUT)!r}).read())")
        found = run._counted_by_ncu(profile)
        assert found.operations[0].registers == 122 and "3 launches" in found.notes[-1]
        stand_in(tmp_path, monkeypatch, "sys.exit('==ERROR== ERR_NVGPUCTRPERM - The user does not have permission')")
        assert "NVreg_RestrictProfilingToAdminUsers=0" in run._counted_by_ncu(profile).notes[-1]
        stand_in(tmp_path, monkeypatch, "sys.exit('something else')")
        assert run._counted_by_ncu(profile).notes[-1] == "ncu counted nothing: something else"
        monkeypatch.setattr(ncu, "PLACES", ("/nowhere", "/nowhere"))
        monkeypatch.setenv("PATH", "/nowhere")
        assert "no ncu here" in run._counted_by_ncu(profile).notes[-1]
    finally:
        worker.close()


@pytest.mark.slow
def test_a_capture_that_cannot_be_made_is_a_note_and_one_that_can_brings_pictures(kit, monkeypatch) -> None:
    worker = kit.spawn()
    profile = Profile(tool="torch.profiler", platform="mps")
    kit = replace(kit, sandbox=NoSandbox())
    try:
        run = profiler._Profiler(Candidate(source=CANDIDATE, author="t"), worker, kit)
        assert "no capture of Metal's commands" in run._captured(profile).notes[-1]  # nothing writes one here
        writes = "import os\nopen(os.environ['TMPDIR'] + '/candidate.gputrace', 'w').close()\n"
        source = CANDIDATE.replace("import torch\n", f"import torch\n{writes}", 1)
        run = profiler._Profiler(Candidate(source=source, author="t"), worker, kit)
        taken = (Picture(name="xcode-summary", png=b"png"),)
        monkeypatch.setattr(profiler.mac_capture, "screenshots", lambda trace, folder: taken if trace.exists() else ())
        assert run._captured(profile).pictures == taken
    finally:
        worker.close()
