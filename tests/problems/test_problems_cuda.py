"""What only a GPU shows: draws made on it, modules that live on it, random state left alone."""

from pathlib import Path

import pytest
import torch
from torch import nn

from kernelwright.problems import from_file, from_module, load
from kernelwright.problems.stress import STRESS_KINDS, stress, structural_zeros
from kernelwright.problems.structure import flatten
from kernelwright.problems.weights import randomise_constants

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

FILES = sorted((Path(__file__).parents[2] / "examples/problems").glob("level*/*.py"))


def tensors(nest: object) -> list[torch.Tensor]:
    return [leaf for leaf in flatten(nest)[0] if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_draw_stress_and_run_on_the_gpu(path: Path) -> None:
    ready = load(from_file(path))
    state = torch.cuda.get_rng_state()
    first, again = ready.draw(5, "cuda"), ready.draw(5, "cuda")
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert all(t.device.type == "cuda" for t in tensors(first))
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(again), strict=True))
    kept = structural_zeros([first, ready.draw(6, "cuda")])
    model = ready.build(0)
    randomise_constants(model, 0)
    model = model.to("cuda")
    with torch.inference_mode():
        for inputs in (first, *(stress(first, kind, keep_zeros=kept) for kind in STRESS_KINDS)):
            assert all(bool(torch.isfinite(out).all()) for out in tensors(model(*inputs)))


def test_a_module_on_the_gpu_is_stored_without_it() -> None:
    module = nn.Linear(3, 3).cuda()
    x = torch.randn(2, 3, device="cuda")
    ready = load(from_module(module, [x]))
    assert ready.build(0).weight.device.type == "cpu"
    assert ready.draw(0)[0].device.type == "cpu"
    assert torch.equal(ready.draw(0, "cuda")[0], x)
    drawn = ready.draw(1, "cuda")[0]
    assert drawn.device.type == "cuda"
    assert torch.equal(drawn, ready.draw(1, "cuda")[0])


def test_randomised_weights_are_the_same_on_both_devices() -> None:
    on_cpu, on_gpu = nn.BatchNorm1d(8), nn.BatchNorm1d(8).cuda()
    assert randomise_constants(on_cpu, 3) == randomise_constants(on_gpu, 3)
    assert torch.equal(on_cpu.running_var, on_gpu.running_var.cpu())


def test_running_out_of_memory_is_the_cause(tmp_path: Path) -> None:
    source = (
        "import torch\nfrom torch import nn\nclass Model(nn.Module):\n    def forward(self, x):\n        return x\n"
        "def get_inputs():\n    return [torch.empty(2**46)]\n"
    )
    path = tmp_path / "huge.py"
    path.write_text(source)
    with pytest.raises(ValueError, match="get_inputs failed at line 7: OutOfMemoryError") as caught:
        load(from_file(path)).draw(0, "cuda")
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
