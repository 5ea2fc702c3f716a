"""The shipped example problems: each loads, runs once, is finite and repeats itself."""

import ast
from pathlib import Path

import pytest
import torch

from kernelwright.problems import from_file, load
from kernelwright.problems.structure import flatten

ROOT = Path(__file__).parents[2] / "examples"
FILES = sorted((ROOT / "problems").glob("level*/*.py"))


def ids(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def tensors(nest: object) -> list[torch.Tensor]:
    return [leaf for leaf in flatten(nest)[0] if isinstance(leaf, torch.Tensor)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_there_are_enough_and_the_index_lists_them_all() -> None:
    assert len(FILES) >= 18
    assert {path.parent.name for path in FILES} == {"level1", "level2", "level3"}
    index = (ROOT / "README.md").read_text()
    for path in FILES:
        doc = ast.get_docstring(ast.parse(path.read_text()))
        assert doc
        assert f"[{path.stem}](problems/{path.parent.name}/{path.name}) | {doc} |" in index


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_example(path: Path) -> None:
    ready = load(from_file(path))
    inputs, again, others = ready.draw(11), ready.draw(11), ready.draw(12)
    assert all(torch.equal(a, b) for a, b in zip(tensors(inputs), tensors(again), strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(tensors(inputs), tensors(others), strict=True))
    del again, others
    model, twin = ready.build(3), ready.build(3)
    pairs = zip(model.state_dict().items(), twin.state_dict().items(), strict=True)
    assert all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)
    with torch.inference_mode():
        outputs = tensors(model(*inputs))
    assert outputs
    assert all(bool(torch.isfinite(out).all()) for out in outputs)


def test_the_degenerate_example_is_constant() -> None:
    ready = load(from_file(ROOT / "problems/level2/07_max_minus_its_own_mean.py"))
    with torch.inference_mode():
        assert not ready.build(0)(*ready.draw(0)).any()
