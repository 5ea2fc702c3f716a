"""The shipped Metal candidates: each keeps the contract, is as accurate as PyTorch itself, and breaks no rule.

Small sizes run with every access watched and with threads in another order; full sizes run as they are. What the
candidates call, ``torch.mps.compile_shader``, is this package's own for the time of a test.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from kernelwright import metal, platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge import source as integrity
from kernelwright.judge.accuracy import Yardstick, one_rounding_unit
from kernelwright.problems.stress import CLASS_KINDS, STRESS_KINDS, stress, structural_zeros
from kernelwright.problems.structure import flatten
from kernelwright.problems.weights import randomise_constants
from kernelwright.schema import Candidate, Precision, Status, Target

pytestmark = pytest.mark.usefixtures("toolchain", "one_thread")
EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted((EXAMPLES / "metal").glob("level*/*.py"))
BARRIER = re.compile(r"\b(?:threadgroup|simdgroup)_barrier\([^;]*\);")
KERNEL = re.compile(r"^\s*(?:\[\[.*\]\]\s*)?(?:\[\[kernel\]\]|kernel) void (\w+)", re.MULTILINE)
HOST_NAME = re.compile(r'host_name\("(\w+)"\)\]\] \[\[kernel\]\] decltype\((\w+)<')

SMALL: dict[str, list[dict[str, int]]] = {
    "level1/01_softmax_wide_rows": [{"ROWS": 2, "COLUMNS": 2052}, {"ROWS": 2, "COLUMNS": 67}],
    "level1/02_layer_norm_rows": [{"ROWS": 2, "FEATURES": 516}, {"ROWS": 2, "FEATURES": 517}],
    "level1/03_matmul_odd_sizes": [{"M": 67, "K": 21, "N": 65}, {"M": 3, "K": 161, "N": 1}],
    "level1/04_depthwise_conv": [
        {"BATCH": 1, "CHANNELS": 2, "SIDE": 17},
        {"BATCH": 2, "CHANNELS": 1, "SIDE": 41, "KERNEL": 3},
    ],
    "level1/05_suffix_sum": [{"ROWS": 2, "COLUMNS": 292}, {"ROWS": 1, "COLUMNS": 4111}],
    "level1/06_bag_of_tokens": [
        {"VOCABULARY": 50, "FEATURES": 20, "BAGS": 5, "TOKENS": 7},
        {"VOCABULARY": 50, "FEATURES": 9, "BAGS": 3, "TOKENS": 3},
    ],
    "level1/07_max_with_positions": [
        {"BATCH": 2, "CHANNELS": 21, "WIDTH": 40},
        {"BATCH": 1, "CHANNELS": 3, "WIDTH": 1},
    ],
    "level1/08_scale_at_the_memory_limit": [{"ELEMENTS": 1024}, {"ELEMENTS": 1030}],
    "level1/09_segment_sum": [
        {"ROWS": 700, "FEATURES": 12, "SEGMENTS": 5},
        {"ROWS": 60, "FEATURES": 35, "SEGMENTS": 40},
    ],
    "level1/10_masked_row_mean": [{"ROWS": 5, "COLUMNS": 388}, {"ROWS": 3, "COLUMNS": 39}],
    "level2/01_linear_scale_group_norm_silu": [
        {"BATCH": 70, "IN_FEATURES": 20, "OUT_FEATURES": 128, "GROUPS": 2},
        {"BATCH": 1, "IN_FEATURES": 4, "OUT_FEATURES": 64, "GROUPS": 1},
    ],
    "level2/04_conv_global_average_pool": [
        {"BATCH": 2, "IN_CHANNELS": 3, "OUT_CHANNELS": 5, "SIDE": 11},
        {"BATCH": 1, "IN_CHANNELS": 4, "OUT_CHANNELS": 9, "SIDE": 8, "KERNEL": 2},
    ],
    "level2/08_clamp_chain": [{"ROWS": 8, "COLUMNS": 64}, {"ROWS": 7, "COLUMNS": 13}],
    "level2/10_matrix_chain_to_vector": [{"M": 6, "K": 5, "N": 260}, {"M": 9, "K": 392, "N": 33}],
    "level2/12_pairwise_distances": [
        {"LEFT": 35, "RIGHT": 33, "FEATURES": 40},
        {"LEFT": 1, "RIGHT": 2, "FEATURES": 3},
    ],
    "level3/01_attention_block": [
        {"BATCH": 1, "TOKENS": 70, "FEATURES": 48, "HEADS": 2},
        {"BATCH": 2, "TOKENS": 9, "FEATURES": 8, "HEADS": 1},
    ],
    "level3/02_residual_block": [
        {"BATCH": 1, "IN_CHANNELS": 11, "OUT_CHANNELS": 32, "SIDE": 9},
        {"BATCH": 2, "IN_CHANNELS": 3, "OUT_CHANNELS": 16, "SIDE": 17},
    ],
    "level3/03_selective_scan": [
        {"BATCH": 2, "TOKENS": 9, "CHANNELS": 5, "STATES": 16},
        {"BATCH": 1, "TOKENS": 5, "CHANNELS": 3, "STATES": 1},
    ],
    "level3/07_gated_feed_forward": [
        {"BATCH": 1, "TOKENS": 67, "FEATURES": 36, "HIDDEN": 40},
        {"BATCH": 1, "TOKENS": 3, "FEATURES": 4, "HIDDEN": 4},
    ],
}
"""Constants of the problem files, set to sizes that the checks get through: an even and a ragged case each."""


def title(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


class Ordered:
    """A library whose kernels run their threads in a given order, and note that they ran."""

    def __init__(self, library: Any, order: str, seen: set[str]):
        self.library, self.order, self.seen = library, order, seen

    def __getattr__(self, name: str) -> Callable[..., None]:
        self.seen.add(name)
        return functools.partial(getattr(self.library, name), order=self.order, seed=3)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Case:
    """A problem in given sizes, with weights that are nowhere constant, and its reference in float64."""

    def __init__(self, path: Path, sizes: dict[str, int] | None = None):
        problem = problems.from_file(EXAMPLES / "problems" / path.parent.name / path.name)
        self.path, self.problem = path, problems.load(problem.model_copy(update={"source": resized(problem, sizes)}))
        self.model = self.problem.build(3)
        randomise_constants(self.model, 4)
        self.wide = self.problem.build(3)
        self.wide.load_state_dict(self.model.state_dict())
        self.wide.double()

    def candidate(
        self,
        monkeypatch: pytest.MonkeyPatch,
        seen: set[str],
        check: bool,
        order: str,
        left_out: tuple[int, int] = (0, 0),
    ) -> nn.Module:
        """``ModelNew`` of the file, less what stands at ``left_out``, with the reference's weights by name."""

        def compile_shader(text: str) -> Ordered:
            return Ordered(metal.compile_shader(text, check=check, file=self.path.stem), order, seen)

        monkeypatch.setattr(torch.mps, "compile_shader", compile_shader)
        text, (start, end) = self.path.read_text(), left_out
        names: dict[str, Any] = {"__name__": f"candidate_{self.path.stem}"}
        exec(compile(text[:start] + text[end:], self.path, "exec"), names)
        made = names["ModelNew"](*self.problem.init_args())
        made.load_state_dict(self.model.state_dict(), strict=True)
        return made.eval()

    def inputs(self, seed: int, kind: str = "") -> tuple[Any, ...]:
        draw = self.problem.draw(seed)
        if not kind:
            return draw
        return stress(draw, kind, keep_zeros=structural_zeros([draw, self.problem.draw(seed + 1)]))

    @torch.inference_mode()
    def verdict(self, candidate: nn.Module, seed: int, kind: str = "") -> str:
        """Why the candidate does not meet ``strict`` on one draw; empty where it does."""
        inputs = self.inputs(seed, kind)
        given = [leaf.clone() for leaf in tensors(inputs)]
        out = candidate(*inputs)
        assert all(map(torch.equal, given, tensors(inputs)))
        assert all(type(leaf) is torch.Tensor for leaf in tensors(out))
        eager, exact = self.model(*inputs), self.wide(*widened(inputs, seed=None))
        yardstick = Yardstick(eager, exact, self.wide(*widened(inputs, seed)), draw=kind or "own", stress=bool(kind))
        return str(yardstick.compare(out).failure(Precision.STRICT) or "")


def resized(problem: problems.Problem, sizes: dict[str, int] | None) -> str:
    text = problem.source
    for name, value in (sizes or {}).items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1, f"{problem.name} has no constant {name}"
    return text


def tensors(nest: object) -> list[torch.Tensor]:
    return [leaf for leaf in flatten(nest)[0] if isinstance(leaf, torch.Tensor)]


def widened(inputs: tuple[Any, ...], seed: int | None) -> tuple[Any, ...]:
    """Floating tensors in float64; with a seed, moved by one rounding unit."""

    def wide(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or not leaf.is_floating_point():
            return leaf
        return leaf.double() if seed is None else one_rounding_unit(leaf, seed)

    return pytree.tree_map(wide, inputs)


def moved_by_one(leaf: Any) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    memory = torch.empty(leaf.numel() + 1, dtype=leaf.dtype)
    return memory[1:].view(leaf.shape).copy_(leaf)


def kernels(path: Path) -> set[str]:
    """The names under which a file's kernels are called."""
    text = path.read_text()
    instances = HOST_NAME.findall(text)
    return (set(KERNEL.findall(text)) | {host for host, _ in instances}) - {template for _, template in instances}


def test_there_are_enough_and_the_index_lists_them_all() -> None:
    assert len(FILES) >= 14
    assert [title(path) for path in FILES] == sorted(SMALL)
    index = (EXAMPLES / "metal/README.md").read_text()
    for path in FILES:
        doc = ast.get_docstring(ast.parse(path.read_text()))
        assert doc and all(f"\n{head}: " in doc for head in ("Fuses", "Moves", "Why so"))
        assert f"[{title(path)}]({title(path)}.py) | " in index
        assert (EXAMPLES / "problems" / f"{title(path)}.py").is_file()


@pytest.mark.parametrize("path", FILES, ids=title)
def test_a_candidate_imports_only_torch_and_the_standard_library(path: Path) -> None:
    text = path.read_text()
    # The judge's own reading: raises for anything but torch and the standard library, remarks on what is suspicious.
    assert integrity.read(Candidate(source=text, author="file", target=Target.METAL)) == ()


@pytest.mark.parametrize("path", FILES, ids=title)
def test_small_sizes_break_no_rule_and_every_kernel_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    for sizes in SMALL[title(path)]:
        case = Case(path, sizes)
        assert case.verdict(case.candidate(monkeypatch, seen, check=True, order="ascending"), seed=1) == ""
    assert seen == kernels(path)


@pytest.mark.parametrize("order", ["descending", "shuffled"])
@pytest.mark.parametrize("path", FILES, ids=title)
@torch.inference_mode()
def test_the_order_of_threads_changes_nothing(path: Path, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(path, SMALL[title(path)][0])
    inputs = case.inputs(2)
    usual = case.candidate(monkeypatch, set(), check=False, order="ascending")(*inputs)
    other = case.candidate(monkeypatch, set(), check=False, order=order)(*inputs)
    assert all(map(torch.equal, tensors(usual), tensors(other)))


@pytest.mark.parametrize("path", FILES, ids=title)
def test_small_sizes_under_stress(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for sizes in SMALL[title(path)]:
        case = Case(path, sizes)
        candidate = case.candidate(monkeypatch, set(), check=False, order="ascending")
        found = {kind: case.verdict(candidate, 5, kind) for kind in ("", *STRESS_KINDS, *CLASS_KINDS)}
        assert not any(found.values()), found


@pytest.mark.parametrize("path", FILES, ids=title)
@torch.inference_mode()
def test_inputs_may_start_anywhere_in_their_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that starts beside the 16 bytes that float4 needs gives what a tensor of its own gives."""
    case = Case(path, SMALL[title(path)][0])
    candidate = case.candidate(monkeypatch, set(), check=True, order="ascending")
    inputs = case.inputs(6)
    expected, found = candidate(*inputs), candidate(*pytree.tree_map(moved_by_one, inputs))
    torch.testing.assert_close(found, expected)  # torch's own products may differ in the last bit


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=title)
def test_no_barrier_is_idle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of its barriers a kernel has a race, and the checks see it."""
    cases = [Case(path, sizes) for sizes in SMALL[title(path)]]
    for barrier in BARRIER.finditer(path.read_text()):
        kinds: set[str] = set()
        for case in cases:
            candidate = case.candidate(monkeypatch, set(), check=True, order="ascending", left_out=barrier.span())
            try:
                with torch.inference_mode():
                    candidate(*case.inputs(1))
            except metal.MetalCheckError as error:
                kinds |= {report.kind for report in error.reports}
        assert "race" in kinds, f"line {barrier.string[: barrier.start()].count(chr(10)) + 1}"


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=title)
def test_full_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(path)
    candidate = case.candidate(monkeypatch, set(), check=False, order="ascending")
    assert case.verdict(candidate, seed=7) == ""
    assert case.verdict(candidate, seed=8, kind="negative") == ""
    inputs = case.inputs(9)
    with torch.inference_mode():
        first, second = candidate(*inputs), candidate(*inputs)
    assert all(map(torch.equal, tensors(first), tensors(second)))


@pytest.mark.slow
def test_the_judge_agrees() -> None:
    """On the example with the most kernels; the tests above hold all of them against the judge's rule."""
    name = "level1/09_segment_sum"
    path = EXAMPLES / "metal" / f"{name}.py"
    problem = problems.from_file(EXAMPLES / "problems" / f"{name}.py")
    problem = problem.model_copy(update={"source": resized(problem, SMALL[name][0])})
    settings = JudgeSettings(time_limit=60.0, unsafe=True)
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        verdict = session.judge(Candidate(source=path.read_text(), author="file", target=Target.METAL))
    assert (verdict.status, verdict.warnings, verdict.labels) == (Status.CORRECT, (), ()), verdict.feedback
    assert verdict.accuracy is not None and verdict.accuracy.passes[Precision.STRICT]
    assert verdict.metal is not None
    assert {kernel.name for kernel in verdict.metal.kernels} == {"count", "place", "sort", "add_float4"}


def test_softmax_of_what_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of -inf get 0, a row of nothing else NaN, and a NaN takes its row with it: as in eager."""
    path = EXAMPLES / "metal/level1/01_softmax_wide_rows.py"
    candidate = Case(path).candidate(monkeypatch, set(), check=False, order="ascending")
    for columns in (256, 253):
        x = torch.randn(4, columns, generator=torch.Generator().manual_seed(1))
        x[0, :200] = x[1] = float("-inf")
        x[2, 17] = float("nan")
        torch.testing.assert_close(candidate(x), torch.softmax(x, dim=-1), equal_nan=True)


def test_values_that_are_not_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN wins a maximum, passes a clamp, and counts in a mean only where it is chosen."""
    x = torch.randn(3, 20, 5, generator=torch.Generator().manual_seed(1))
    x[0, 4, 2] = x[0, 9, 2] = float("nan")
    x[1] = float("-inf")
    maximum = Case(EXAMPLES / "metal/level1/07_max_with_positions.py")
    values, places = maximum.candidate(monkeypatch, set(), check=False, order="shuffled")(x)
    expected = torch.max(x, dim=1)
    torch.testing.assert_close(values, expected.values, equal_nan=True)
    assert torch.equal(places, expected.indices)

    clamps = Case(EXAMPLES / "metal/level2/08_clamp_chain.py")
    clamped = clamps.candidate(monkeypatch, set(), check=False, order="ascending")(x)
    torch.testing.assert_close(clamped, clamps.model(x), equal_nan=True)

    means = Case(EXAMPLES / "metal/level1/10_masked_row_mean.py")
    rows, chosen = x[:, :, 2].contiguous(), torch.ones(3, 20, dtype=torch.bool)
    chosen[0, 4] = chosen[0, 9] = False
    chosen[2] = False
    mean = means.candidate(monkeypatch, set(), check=False, order="ascending")(rows, chosen)
    torch.testing.assert_close(mean, means.model(rows, chosen), equal_nan=True)
