"""Own kernels and decoys: what the watched calls make of C functions whose result counts, and of those without."""

import ctypes
import shutil
import subprocess

import pytest
import torch
from torch import nn

from kernelwright.judge.worker.provenance import Untraceable, operators, trace

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

SOURCE = "void twice(const float *x, float *y, long n) { for (long i = 0; i < n; i++) y[i] = 2 * x[i]; }"
SIDE = 24


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """``twice(x, y)`` writes ``2 x`` into ``y`` and returns it; PyTorch sees nothing of it."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "twice.c").write_text(SOURCE)
    library = folder / "twice.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "twice.c"], check=True)
    function = ctypes.CDLL(str(library)).twice
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]

    def call(x, y):
        function(x.data_ptr(), y.data_ptr(), x.numel())
        return y

    return call


def traced(model):
    torch.manual_seed(3)
    first, second = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    return trace(model, [first], [second], lambda: None)


def honest(k):
    weight, workspace, packed = torch.randn(SIDE, SIDE), torch.empty(SIDE, SIDE), []

    def with_packed_weights(x):
        if not packed:
            packed.append(k(weight, torch.empty_like(weight)))
        return k(x @ packed[0], torch.empty_like(x))

    return {
        "into empty memory": lambda x: k(x, torch.empty_like(x)),
        "into zeros": lambda x: k(x, torch.zeros_like(x)),
        "before an epilogue": lambda x: torch.relu(k(x, torch.empty_like(x)) + 1),
        "after a product": lambda x: k(x @ weight, torch.empty_like(x)),
        "in a workspace of its own": lambda x: k(x, workspace) + 1,
        "in place": lambda x: k((y := x @ weight), y),
        "one half each": lambda x: torch.cat([k(x[:12], torch.empty(12, SIDE)), x[12:] * 2]),
        "before an index": lambda x: k(x, torch.empty_like(x)).argmax(1),
        "weights packed once": with_packed_weights,
        "second of two outputs": lambda x: (x * 2, k(x, torch.empty_like(x))),
        "normalised afterwards": lambda x: nn.functional.layer_norm(k(x, torch.empty_like(x)), (SIDE,)),
        "twice, and normalised afterwards": lambda x: nn.functional.layer_norm(
            k(k(x, torch.empty_like(x)) * 3, torch.empty_like(x)) * 5, (SIDE,)
        ),
    }


def decoys(k):
    weight, kept = torch.randn(SIDE, SIDE), []

    def fall_back(x):
        try:
            raise RuntimeError("no such device")
        except RuntimeError:
            return x * 2

    def in_parts(x):
        y = torch.empty_like(x)
        y[:12].copy_(x[:12] * 2)
        y[12:].copy_(x[12:] * 2)
        return y

    def folded_once(x):
        if not kept:
            kept.append(weight @ weight)
        return x @ kept[0]

    return {
        "nothing but the library": lambda x: torch.relu(x @ weight),
        "result thrown away": lambda x: (k(x, torch.empty_like(x)), x * 2)[1],
        "times zero": lambda x: x * 2 + 0 * k(x, torch.empty_like(x)),
        "never chosen": lambda x: torch.where(torch.zeros_like(x) > 1, k(x, torch.empty_like(x)), x * 2),
        "written over": lambda x: k(x, torch.empty_like(x)).copy_(x * 2),
        "fall back": fall_back,
        "in parts": in_parts,
        "a constant from nowhere": lambda x: x * torch.tensor(2.0),
        "weights folded once": folded_once,
        "through out": lambda x: torch.mul(x, 2, out=torch.empty_like(x)),
    }


@pytest.mark.parametrize("name", honest(None))
def test_a_kernel_whose_result_counts_is_seen(twice, name):
    assert traced(honest(twice)[name]).own_kernel


@pytest.mark.parametrize("name", decoys(None))
def test_a_kernel_whose_result_does_not_count_is_none(twice, name):
    assert not traced(decoys(twice)[name]).own_kernel


def test_tracing_leaves_the_inputs_alone(twice):
    x = torch.randn(SIDE, SIDE)
    before = x.clone()
    trace(lambda x: torch.relu(twice(x, torch.empty_like(x)) + x), [x], [x], lambda: None)
    assert torch.equal(x, before)


def test_operators_are_those_that_compute():
    names = operators(nn.Sequential(nn.Linear(4, 4), nn.Flatten(), nn.ReLU()).eval(), [torch.randn(2, 4)])
    assert names == ("aten.addmm.default", "aten.relu.default")


def test_a_call_without_end_is_not_followed():
    def long(x):
        for _ in range(6000):
            x = x + 1
        return x

    with pytest.raises(Untraceable):
        operators(long, [torch.ones(1)])


def test_storages_that_are_copied_onto_themselves_keep_what_a_kernel_wrote(twice):
    """As Triton's interpreter hands its results over."""

    def through_storages(x):
        y = torch.empty_like(x)
        view = x.new_empty(0).set_(y.untyped_storage(), 0, y.size(), y.stride())
        twice(x, view)
        y.untyped_storage().copy_(view.untyped_storage())
        return y

    assert traced(through_storages).own_kernel


@pytest.fixture(scope="module")
def registered(twice):
    """Operators of a namespace of their own: one that calls PyTorch's, one that runs a kernel."""
    library = torch.library.Library("kernelwright_test", "DEF")
    for name, body in (("doubled", lambda x: x * 2), ("by_kernel", lambda x: twice(x, torch.empty_like(x)))):
        library.define(f"{name}(Tensor x) -> Tensor")
        library.impl(name, body, "CPU")
    yield torch.ops.kernelwright_test
    library._destroy()


def test_a_registered_operator_is_what_it_calls(registered):
    wrapper = traced(lambda x: registered.doubled(x) + 1)
    assert not wrapper.own_kernel and wrapper.operators == ("aten.mul.Tensor", "aten.add.Tensor")
    assert traced(lambda x: registered.by_kernel(x) + 1).own_kernel
    assert not traced(lambda x: registered.by_kernel(x) * 0 + registered.doubled(x)).own_kernel
