"""``inductor-metal``: candidates that keep the contract on a stand-in for a Mac, and refusals in one line."""

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._inductor.codegen.common import device_codegens

from kernelwright import authors, problems
from kernelwright.authors import AuthorError, Task
from kernelwright.authors.inductor_metal.process import Written
from kernelwright.metal.stand_in import StandIn
from kernelwright.problems.weights import randomise_constants
from kernelwright.schema import Candidate, DeviceFacts, Problem, Target

EXAMPLES = Path(__file__).parents[2] / "examples" / "problems"
slow = pytest.mark.slow

SMALL: dict[str, dict[str, int]] = {
    "level1/01_softmax_wide_rows": {"ROWS": 2, "COLUMNS": 2052},
    "level1/02_layer_norm_rows": {"ROWS": 2, "FEATURES": 517},
    "level1/06_bag_of_tokens": {"VOCABULARY": 50, "FEATURES": 9, "BAGS": 3, "TOKENS": 4},
    "level2/02_conv_bias_batch_norm_relu": {"BATCH": 1, "IN_CHANNELS": 3, "OUT_CHANNELS": 5, "SIDE": 9},
    "level3/01_attention_block": {"BATCH": 2, "TOKENS": 9, "FEATURES": 8, "HEADS": 2},
    "level3/06_detection_head": {"BATCH": 1, "CHANNELS": 8, "SIDE": 6, "CLASSES": 2, "ANCHORS": 2},
}
"""Rows, integer inputs, weights with buffers, attention, several outputs: each in a size that a test gets through."""

MANY = "torch.cat([(x + k).sum((-1,), keepdim=True) for k in range(40)], -1).unbind(-1)"
REFUSED = {
    "sinh": ("torch.sinh(x) + 1", "no sinh"),
    "nothing to write": ("x @ x.mT", "leaves all of the work to ATen"),
    "many buffers": (f"tuple(y * 2 for y in {MANY})", r"takes 4\d buffers: Metal has 31"),
    "float64": ("x.double().exp()", "float64"),
}
WRITE_ALL = """
import pickle, sys
from kernelwright.authors import AuthorError
from kernelwright.authors.inductor_metal.write import write

def answer(problem):
    try:
        return write(problem)
    except AuthorError as error:
        return str(error)

given = pickle.loads(sys.stdin.buffer.read())
answers = {name: answer(problem) for name, problem in given.items()}
sys.stdout.buffer.write(pickle.dumps(answers))
"""
"""What the author's own child does for one problem; starting it takes longer than all of these."""


def resized(name: str, sizes: dict[str, int]) -> Problem:
    problem = problems.from_file(EXAMPLES / f"{name}.py")
    source = problem.source
    for constant, value in sizes.items():
        source, found = re.subn(rf"^{constant} = \d+$", f"{constant} = {value}", source, flags=re.MULTILINE)
        assert found == 1, constant
    return problem.model_copy(update={"source": source})


def propose(problem: Problem, target: Target = Target.METAL) -> Candidate | None:
    facts = DeviceFacts(platform="cpu", name="test", memory_bytes=1, cores=1, cache_bytes=0)
    task = Task(problem=problem, facts=facts, platform="cpu", target=target)
    return authors.get("inductor-metal").propose(task, ())


def written_for(tmp_path: Path, forward: str) -> Problem:
    """A problem whose ``forward(self, x)`` is this expression."""
    path = tmp_path / "reference.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n"
        f"        return {forward}\n\n\ndef get_inputs():\n    return [torch.rand(6, 7)]\n\n\n"
        "def get_init_inputs():\n    return []\n",
        encoding="utf-8",
    )
    return problems.from_file(path)


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_it_is_who_writes_metal() -> None:
    author = authors.get("inductor-metal")
    assert (author.name, author.trusted, author.targets) == ("inductor-metal", True, frozenset({Target.METAL}))
    assert "inductor-metal" in authors.default_names(Target.METAL)
    assert "inductor-metal" not in authors.default_names(None)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written | str]:
    given = {name: resized(name, sizes) for name, sizes in SMALL.items()}
    folder = tmp_path_factory.mktemp("refused")
    given |= {name: written_for(folder, forward) for name, (forward, _) in REFUSED.items()}
    done = subprocess.run([sys.executable, "-c", WRITE_ALL], input=pickle.dumps(given), capture_output=True, check=True)
    return pickle.loads(done.stdout)


@slow
@pytest.mark.parametrize("name", SMALL)
def test_candidates_agree_with_the_reference(name: str, answers: dict[str, Written | str]) -> None:
    written = answers[name]
    assert isinstance(written, Written), written
    assert imported(written.source) == {"torch"}
    loaded = problems.load(resized(name, SMALL[name]))
    reference = loaded.build(1)
    randomise_constants(reference, 2)
    inputs = loaded.draw(3)
    with torch.no_grad():
        expected = reference(*inputs)
    with StandIn("cpu"):
        space: dict[str, type[nn.Module]] = {}
        exec(compile(written.source, name, "exec"), space)
        made = space["ModelNew"](*loaded.init_args()).eval()
        made.load_state_dict(reference.state_dict(), strict=True)
        answer = made.to("mps")(*(x.to("mps") for x in inputs))
        answer = {k: v.cpu() for k, v in answer.items()} if isinstance(answer, dict) else answer.cpu()
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-4)


@slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused_in_one_line(name: str, answers: dict[str, Written | str]) -> None:
    why = answers[name]
    assert isinstance(why, str)
    assert re.search(REFUSED[name][1], why), why
    assert "\n" not in why


def test_a_refusal_comes_from_the_child_and_this_process_compiles_as_before(tmp_path: Path) -> None:
    before = (dict(device_codegens), torch.mps.compile_shader, torch.backends.mps.is_available())
    forward, why = REFUSED["sinh"]
    with pytest.raises(AuthorError, match=why):
        propose(written_for(tmp_path, forward))
    assert (dict(device_codegens), torch.mps.compile_shader, torch.backends.mps.is_available()) == before


@slow
def test_torch_compile_on_the_cpu_works_afterwards(answers: dict[str, Written | str]) -> None:
    name = "level1/02_layer_norm_rows"
    candidate = propose(resized(name, SMALL[name]))
    assert candidate is not None
    assert (candidate.target, candidate.author) == (Target.METAL, "inductor-metal")
    written = answers[name]
    assert isinstance(written, Written)
    assert candidate.source == written.source
    x = torch.randn(5, 33)
    compiled = torch.compile(lambda t: torch.softmax(t, -1) * 2, dynamic=False)
    torch.testing.assert_close(compiled(x), torch.softmax(x, -1) * 2)


def test_other_targets_get_nothing() -> None:
    assert propose(Problem(name="p", format="kernelbench"), Target.TORCH) is None
