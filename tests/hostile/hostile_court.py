"""A court for the samples of this folder: one judge session at a time, and a watch on what they leave behind."""

import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from platform import machine

import pytest
from hostile_samples import Sample

from kernelwright import platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.schema import Candidate, Target, Verdict

MEMORY_LIMIT = 2 << 30  # the memory bombs stop by themselves at 6 GiB


@dataclass
class Court:
    """Judges samples; keeps the session open as long as samples with the same problem and settings follow."""

    key: tuple[object, ...] | None = None
    session: JudgeSession | None = None

    def judge(self, sample: Sample) -> Verdict:
        name = sample.platform or "cpu"
        if not platforms.get(name).available():
            pytest.skip(f"needs platform {name}")
        if sample.target == "triton" and find_spec("triton") is None:
            pytest.skip("triton is not installed")
        if sample.machine and sample.machine != machine():
            pytest.skip(f"was made for {sample.machine}")
        key = (sample.problem, sample.timing, sample.limit, name)
        if key != self.key or self.session is None:
            self.adjourn()
            settings = JudgeSettings(
                timing=sample.timing,
                timing_budget=3.0,
                baselines=("eager",),
                time_limit=sample.limit or 120.0,
                memory_limit=MEMORY_LIMIT,
            )
            session = JudgeSession(problems.from_file(sample.problem_path), platforms.get(name), settings)
            self.session, self.key = session.__enter__(), key
        candidate = Candidate(source=sample.source, author="test", target=Target(sample.target), title=sample.name)
        return self.session.judge(candidate)

    def adjourn(self) -> None:
        """Ends the open session."""
        if self.session is not None:
            self.session.__exit__(None, None, None)
        self.session, self.key = None, None


def children_of_this_process() -> set[int]:
    """Every live descendant. Orphans count too: this process adopts them."""
    if not Path("/proc/self/status").exists():
        return set()
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found - {os.getpid()}
        found |= more


def escaped_files() -> set[str]:
    """Files that a sample left in any place it might reach."""
    import torch

    folders = {
        tempfile.gettempdir(),
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/etc",
        "/usr/lib",
        str(Path.home()),
        str(Path.cwd()),
    }
    folders |= {str(Path(torch.__file__).parent), *filter(None, sys.path)}
    return {str(path) for folder in folders for path in Path(folder).glob("kernelwright-escape-*")}


def state_of_this_process() -> dict[str, object]:
    """What a candidate may not change on the judge's side."""
    import torch

    return {
        "default dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "functions": [torch.relu, torch.allclose, torch.manual_seed, torch.Tensor.__eq__, torch.nn.Module.__call__],
        "clocks": [time.perf_counter, time.perf_counter_ns, time.monotonic, time.time],
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "folder": Path.cwd(),
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)],
    }


@dataclass
class Watch:
    """The world before the first sample, to be compared with the world after the last."""

    children: set[int] = field(default_factory=children_of_this_process)
    files: set[str] = field(default_factory=escaped_files)
    state: dict[str, object] = field(default_factory=state_of_this_process)

    def left_processes(self, patience: float = 10.0) -> set[int]:
        """Processes that were not there before and do not end within ``patience`` seconds."""
        end = time.monotonic() + patience
        while (left := children_of_this_process() - self.children) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def left_files(self) -> set[str]:
        return escaped_files() - self.files
