"""The cost model's machine: from measured limits, and from round figures where the device is not here."""

from pathlib import Path

import pytest

from kernelwright import platforms
from kernelwright.authors.graph.ir import Node, TensorType, attributes
from kernelwright.authors.rewriter.calibrated import machine_for
from kernelwright.authors.rewriter.cost import MACHINES, Machine, machine_of, price
from kernelwright.platforms import measure
from kernelwright.schema import DeviceLimits

LIMITS = DeviceLimits(
    bandwidth=1e12,
    peak_bandwidth=2e12,
    matmul_flops={"float32": 16e12, "tfloat32": 128e12, "bfloat16": 256e12},
    launch_seconds=4e-6,
)
GEOMETRY = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "transposed": False, "output_padding": (0, 0)}


def convolution(dtype: str, groups: int = 1, bias: bool = False) -> tuple[Node, list[TensorType]]:
    """A convolution with 3 taps by 3 of 64 channels, and its arguments' types."""
    args = [TensorType((8, 64, 34, 34), dtype), TensorType((64, 64 // groups, 3, 3), dtype)]
    args += [TensorType((64,), dtype)] if bias else []
    node = Node(
        "conv", tuple(range(len(args))), attributes(groups=groups, **GEOMETRY), TensorType((8, 64, 32, 32), dtype)
    )
    return node, args


def test_convolutions_on_cuda_run_at_the_rate_of_tf32_and_products_at_that_of_float32() -> None:
    machine = machine_of(LIMITS, "cuda")
    product = Node("matmul", (0, 1), (), TensorType((256, 256), "float32"))
    assert machine.rate(product) == 16
    assert machine.rate(convolution("float32")[0]) == 128
    assert machine.rate(convolution("bfloat16")[0]) == 256
    assert machine.rate(convolution("float32", groups=64)[0]) == 16
    assert machine_of(LIMITS, "mps").rate(convolution("float32")[0]) == 16


def test_a_launch_costs_the_bytes_that_move_meanwhile() -> None:
    assert machine_of(LIMITS, "cuda").call_bytes == pytest.approx(4e6, rel=0.2)


def test_noise_of_a_measurement_changes_nothing() -> None:
    noisy = LIMITS.model_copy(update={"bandwidth": 1.02e12, "launch_seconds": 4.1e-6})
    assert machine_of(noisy, "cuda") == machine_of(LIMITS, "cuda")


def test_a_bias_of_a_convolution_is_a_pass_on_cuda() -> None:
    machine = machine_of(LIMITS, "cuda")
    with_bias, without = (price(*convolution("float32", bias=bias), machine) for bias in (True, False))
    assert with_bias - without > 2 * convolution("float32")[0].type.bytes
    on_cpu = [price(*convolution("float32", bias=bias), MACHINES["cpu"]) for bias in (True, False)]
    assert on_cpu[0] - on_cpu[1] < 1000


def test_stored_limits_are_taken_without_measuring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    calls: list[int] = []
    monkeypatch.setattr(measure, "cpu_limits", lambda cache: calls.append(cache) or LIMITS)
    assert [machine_for("cpu"), machine_for("cpu")] == [machine_of(LIMITS, "cpu")] * 2
    assert len(calls) == 1


def test_round_figures_stand_in_where_the_device_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms.get("cuda").__class__, "available", lambda self: False)
    assert machine_for("cuda") == MACHINES["cuda"]
    assert isinstance(machine_for("unheard-of"), Machine)
