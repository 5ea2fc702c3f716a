"""The stand-in for a Mac's torch: which tensors are on ``mps``, and what a Mac would refuse."""

import pytest
import torch
from torch import nn

from kernelwright.metal import MetalCheckError, MetalCompileError
from kernelwright.metal.stand_in import StandIn

ADD_ONE = """
#include <metal_stdlib>
using namespace metal;
kernel void add_one(device const float* x, device float* y, uint i [[thread_position_in_grid]]) { y[i] = x[i] + 1; }
kernel void beyond(device const float* x, device float* y, uint i [[thread_position_in_grid]]) { y[i + 1] = x[i]; }
"""


@pytest.fixture
def mac():
    with StandIn("cpu") as mac:
        yield mac


def on(tensor: torch.Tensor) -> str:
    return tensor.device.type


def test_nothing_of_torch_is_changed_afterwards() -> None:
    before = (torch.mps.compile_shader, torch.mps.synchronize, torch.backends.mps.is_available, torch.mps.Event)
    with StandIn("cpu"):
        assert torch.mps.compile_shader is not before[0]
    after = (torch.mps.compile_shader, torch.mps.synchronize, torch.backends.mps.is_available, torch.mps.Event)
    assert after == before
    assert torch.empty(2).device.type == "cpu"


def test_a_mac_is_there(mac: StandIn) -> None:
    assert torch.backends.mps.is_available() and torch.backends.mps.is_built()
    assert torch.mps.device_count() == 1
    torch.mps.synchronize()
    torch.mps.empty_cache()
    torch.mps.manual_seed(3)
    begin, end = torch.mps.Event(enable_timing=True), torch.mps.Event(enable_timing=True)
    begin.record()
    end.record()
    assert begin.elapsed_time(end) >= 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(3, device="mps"),
        lambda: torch.ones(3).to("mps"),
        lambda: torch.ones(3).to(torch.device("mps")),
        lambda: torch.ones(3).to(device="mps", dtype=torch.float16),
        lambda: torch.tensor([1.0, 2.0], device="mps:0"),
        lambda: torch.arange(4, device=torch.device("mps")),
        lambda: torch.ones(3).new_zeros(3, device="mps"),
        lambda: nn.Linear(2, 3).to("mps").weight,
        lambda: nn.Parameter(torch.zeros(2, device="mps")),
    ],
)
def test_what_is_made_on_mps_is_there(mac: StandIn, make) -> None:
    assert on(make()) == "mps"
    assert make().is_mps and not make().is_cpu


def test_a_device_context_works(mac: StandIn) -> None:
    with torch.device("mps"):
        assert on(torch.zeros(2)) == "mps"
    assert on(torch.zeros(2)) == "cpu"


@pytest.mark.parametrize(
    "follow",
    [
        lambda x: x[1:],
        lambda x: x.view(2, 2).t(),
        lambda x: x + 1,
        lambda x: torch.cat([x, x]),
        lambda x: torch.max(x.view(2, 2), dim=1).indices,
        torch.empty_like,
        lambda x: x.detach(),
        lambda x: nn.functional.layer_norm(x, (4,)),
        lambda x: x.half(),
        lambda x: torch.zeros(4).to(x),
        lambda x: x * torch.tensor(2.0),
    ],
)
def test_what_comes_of_it_stays_there(mac: StandIn, follow) -> None:
    assert on(follow(torch.rand(4, device="mps"))) == "mps"


def test_modules_run_there(mac: StandIn) -> None:
    x = torch.rand(2, 3, 8, 8, device="mps")
    images = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval().to("mps")
    assert on(images(x)) == "mps"
    output, (hidden, cell) = nn.LSTM(3, 4).to("mps")(torch.rand(5, 2, 3, device="mps"))
    assert {on(output), on(hidden), on(cell)} == {"mps"}


def test_a_copy_between_devices_is_a_copy(mac: StandIn) -> None:
    x = torch.zeros(3)
    y = x.to("mps")
    y[0] = 1
    assert x.tolist() == [0, 0, 0] and y.tolist() == [1, 0, 0]
    assert y.to("mps") is y
    z = y.cpu()
    z[1] = 1
    assert on(z) == "cpu" and y.tolist() == [1, 0, 0]
    x.copy_(y)
    assert on(x) == "cpu" and x.tolist() == [1, 0, 0]


def test_fresh_memory_holds_nothing_to_rely_on(mac: StandIn) -> None:
    assert torch.empty(4, device="mps").isnan().all()
    assert (torch.empty(4, device="mps", dtype=torch.int32) == torch.iinfo(torch.int32).max).all()


def test_what_a_mac_refuses_is_refused(mac: StandIn) -> None:
    x = torch.zeros(3, device="mps")
    with pytest.raises(RuntimeError, match="at least two devices"):
        x + torch.zeros(3)
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(3, device="mps", dtype=torch.float64)
    with pytest.raises(TypeError, match="float64"):
        x.double()
    with pytest.raises(TypeError, match="numpy"):
        x.numpy()
    with pytest.raises(RuntimeError, match="load_metallib"):
        torch.mps.load_metallib("file")


@pytest.mark.usefixtures("toolchain")
class TestKernels:
    def test_a_kernel_runs(self, mac: StandIn) -> None:
        x = torch.rand(100, device="mps")
        y = torch.empty_like(x)
        library = torch.mps.compile_shader(ADD_ONE)
        library.add_one(x, y)
        assert torch.equal(y, x + 1)
        assert "add_one" in dir(library)
        assert library.add_one.max_threads_per_threadgroup == 1024

    def test_tensors_elsewhere_are_refused(self, mac: StandIn) -> None:
        with pytest.raises(RuntimeError, match=r"argument 1 is on device cpu"):
            torch.mps.compile_shader(ADD_ONE).add_one(torch.zeros(3, device="mps"), torch.zeros(3))

    def test_no_metal_is_a_syntax_error_as_on_a_mac(self, mac: StandIn) -> None:
        with pytest.raises(SyntaxError) as raised:
            torch.mps.compile_shader("kernel void f() { nonsense }")
        assert isinstance(raised.value, MetalCompileError)
        with pytest.raises(TypeError):
            torch.mps.compile_shader(3)
        with pytest.raises(RuntimeError, match="missing"):
            _ = torch.mps.compile_shader(ADD_ONE).missing

    def test_launches_are_written_down(self, mac: StandIn) -> None:
        mac.journal.begin(inspecting=True, seconds=5.0)
        x = torch.rand(1000, device="mps")
        library = torch.mps.compile_shader(ADD_ONE)
        for _ in range(5):
            library.add_one(x, torch.empty_like(x), group_size=50)
        record = mac.journal.record()
        (seen,) = record["kernels"]
        assert (seen["kernel"], seen["launches"], len(seen["work"])) == ("add_one", 5, 3)
        assert record["reports"] == []
        work = seen["work"][0]
        assert (work["groups"], work["groups_run"]) == (20, 20)
        assert [b["read_bytes"] + b["written_bytes"] for b in work["buffers"]] == [4000, 4000]
        assert work["flops"] == 1000

    def test_a_broken_rule_raises_before_anything_is_written(self, mac: StandIn) -> None:
        mac.journal.begin(inspecting=True, seconds=5.0)
        x, y = torch.rand(64, device="mps"), torch.zeros(64, device="mps")
        with pytest.raises(MetalCheckError):
            torch.mps.compile_shader(ADD_ONE).beyond(x, y)
        assert not y.any()
        (report,) = mac.journal.record()["reports"]
        assert (report["kind"], report["line"]) == ("out_of_bounds", 5)
        assert "y[i + 1]" in report["text"]

    def test_without_time_nothing_is_watched(self, mac: StandIn) -> None:
        mac.journal.begin(inspecting=True, seconds=0.0)
        x = torch.rand(10, device="mps")
        torch.mps.compile_shader(ADD_ONE).add_one(x, torch.empty_like(x))
        (seen,) = mac.journal.record()["kernels"]
        assert seen["launches"] == 1 and seen["work"] == []
