"""The examples of CONTRIBUTING.md work as they stand there, installed the way a package would be."""

import importlib
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import torch

from kernelwright import authors, platforms, problems
from kernelwright.authors import AuthorError, Task
from kernelwright.platforms import Platform
from kernelwright.schema import Attempt, DeviceLimits, Problem, ProblemError, Status, Target, Verdict

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(r'^```(?:\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)

CONVOLUTION = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        return torch.relu(self.conv(x))


def get_inputs():
    return [torch.randn(2, 3, 9, 9)]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory):
    """A folder on the path with the examples and the metadata that pip would write for them."""
    folder = tmp_path_factory.mktemp("examples")
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for title, text in BLOCK.findall(PAGE.read_text()):
        if title == "pyproject.toml":
            for group, points in tomllib.loads(text)["project"]["entry-points"].items():
                groups[group] |= points
        else:
            (folder / title).write_text(text)
    metadata = folder / "kernelwright_examples-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kernelwright-examples\nVersion: 0.1\n")
    lines = [f"[{g}]\n" + "\n".join(f"{name} = {value}" for name, value in p.items()) for g, p in groups.items()]
    (metadata / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    for name in ("channels_last_author", "one_thread_platform", "nn_json_format"):
        sys.modules.pop(name, None)


@pytest.fixture
def one_thread():
    """The example sets the number of threads of its process: give it back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def task_for(problem: Problem) -> Task:
    return Task(problem=problem, facts=platforms.get("cpu").facts(), platform="cpu", target=Target.TORCH)


def test_author(installed: Path, tmp_path: Path):
    assert "channels-last" in authors.names()
    author = authors.get("channels-last")
    path = tmp_path / "convolution.py"
    path.write_text(CONVOLUTION)
    task = task_for(problems.from_file(path))
    candidate = author.propose(task, ())
    assert candidate is not None and candidate.author == "channels-last"

    namespace: dict[str, object] = {}
    exec(compile(candidate.source, "candidate", "exec"), namespace)
    new, reference = namespace["ModelNew"](), namespace["Model"]()
    new.load_state_dict(reference.state_dict())
    x = torch.randn(2, 3, 9, 9)
    assert torch.allclose(new(x), reference(x), atol=1e-5)
    assert new(x).is_contiguous()

    attempt = Attempt(
        run="r", number=1, author=author.name, candidate=candidate, verdict=Verdict(status=Status.CORRECT), created=""
    )
    assert author.propose(task, (attempt,)) is None


def test_author_says_what_it_cannot_do(installed: Path):
    problem = problems.from_module(torch.nn.Linear(3, 4), [torch.randn(2, 3)])
    with pytest.raises(AuthorError, match="no two-dimensional convolution"):
        authors.get("channels-last").propose(task_for(problem), ())


def test_platform(installed: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch):
    limits = DeviceLimits(bandwidth=1e9, peak_bandwidth=2e9, matmul_flops={"float32": 1e9}, launch_seconds=1e-6)
    monkeypatch.setattr("kernelwright.platforms.cpu.CpuPlatform.limits", lambda self, refresh=False: limits)
    assert "cpu-one-thread" in platforms.names()
    platform = platforms.get("cpu-one-thread")
    assert isinstance(platform, Platform)
    assert platform.available() and platform.why_not() is None
    assert torch.get_num_threads() == 1
    assert platform.facts().platform == "cpu-one-thread"
    assert platform.facts().cores == 1
    assert platform.limits().bandwidth > 0
    stamps = platform.stamps(2)
    for i in range(2):
        stamps.start(i)
        platform.flush_cache()
        platform.synchronize()
        stamps.stop(i)
    assert len(stamps.milliseconds()) == 2
    assert all(ms > 0 for ms in stamps.milliseconds())
    assert platform.memory_available() > 0
    platform.reset_memory()


def test_problem_format(installed: Path):
    problem = problems.from_file(installed / "wide_linear.json")
    assert problem.format == "nn-json"
    loaded = problems.load(problem)
    module = loaded.build(3)
    (x,) = loaded.draw(7)
    assert loaded.init_args() == (64, 256)
    assert module(x).shape == (32, 256)
    assert torch.equal(x, loaded.draw(7)[0])
    assert not torch.equal(x, loaded.draw(8)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"module": "Linear"}', "no arguments and no inputs"),
        ('{"module": "Nothing", "arguments": [], "inputs": []}', "torch.nn has no module Nothing"),
        ('{"module": ', "Expecting value"),
    ],
)
def test_problem_format_names_what_is_missing(installed: Path, tmp_path: Path, text: str, message: str):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ProblemError, match=message) as caught:
        problems.from_file(path)
    assert "\n" not in str(caught.value)
