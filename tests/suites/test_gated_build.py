"""The first call of a baseline beside others' timing: compiling keeps nobody out, benchmarks are alone."""

import threading
import time
from pathlib import Path
from typing import Literal

import pytest
import torch

from kernelwright.judge.gate import DeviceGate
from kernelwright.judge.reference import baselines, gated
from kernelwright.judge.reference.gated import BENCHMARKS, LINGER_SECONDS, FirstCall


def can_enter(gate: DeviceGate, how: str, seconds: float = 0.05) -> bool:
    """Whether another thread comes in within that time."""
    done = threading.Event()

    def enter() -> None:
        with getattr(gate, how)():
            done.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    return done.wait(seconds)


def test_torch_has_what_is_wrapped() -> None:
    from torch._dynamo.callback import CallbackTrigger, callback_handler
    from torch._inductor.runtime import benchmarking

    assert callable(benchmarking.benchmarker.benchmark_gpu)
    assert callable(benchmarking.benchmarker.benchmark_cpu)
    others = [name for name in dir(benchmarking.benchmarker) if name.startswith("benchmark_")]
    assert set(others) <= set(BENCHMARKS), "every method that runs something is wrapped"
    assert CallbackTrigger["DYNAMO"]
    assert callback_handler.register_start_callback
    assert callback_handler.remove_end_callback


def test_others_time_while_a_module_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, seen = DeviceGate(tmp_path), []

    def backend(graph: torch.fx.GraphModule, _inputs: object) -> object:
        from torch._inductor.runtime.benchmarking import benchmarker

        seen.append(("compiling", can_enter(gate, "alone", 10.0)))
        ms = benchmarker.benchmark_cpu(lambda: seen.append(("benchmark", can_enter(gate, "shared"))), warmup=0, rep=0)
        assert ms > 0
        seen.append(("lingering", can_enter(gate, "shared", LINGER_SECONDS / 10)))
        seen.append(("afterwards", can_enter(gate, "alone", 10.0)))

        def run(*args: torch.Tensor) -> object:
            seen.append(("call, shared", can_enter(gate, "shared", 10.0)))
            seen.append(("call, alone", can_enter(gate, "alone")))
            return graph(*args)

        return run

    def builder(model: torch.nn.Module, _inputs: object, _device: str) -> baselines.Call:
        return torch.compile(model, backend=backend)

    torch._dynamo.reset()
    monkeypatch.setitem(baselines.BUILDERS, "compile", builder)
    first_call = FirstCall(gate, compiles=True)
    baselines.build("compile", torch.nn.ReLU(), (torch.randn(3),), "cpu", first_call)
    assert dict(seen) == {
        "compiling": True,
        "benchmark": False,
        "lingering": False,
        "afterwards": True,
        "call, shared": True,
        "call, alone": False,
    }
    assert can_enter(gate, "alone", 10.0)


def test_a_benchmark_within_the_call_is_alone_and_sharing_goes_on(tmp_path: Path) -> None:
    """Kernels are tuned when they are first run."""
    from torch._inductor.runtime.benchmarking import benchmarker

    gate = DeviceGate(tmp_path)
    with FirstCall(gate, compiles=True):
        assert can_enter(gate, "shared", 10.0)
        alone: list[bool] = []
        for _ in range(3):
            benchmarker.benchmark_cpu(lambda: alone.append(can_enter(gate, "shared")), warmup=0, rep=0)
        assert alone
        assert not any(alone)
        assert can_enter(gate, "shared", 10.0), "whoever waits comes in when no benchmark follows"
        assert not can_enter(gate, "alone")
    assert can_enter(gate, "alone", 10.0)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    from torch._dynamo.callback import callback_handler
    from torch._inductor.runtime.benchmarking import benchmarker

    with pytest.raises(ZeroDivisionError), FirstCall(DeviceGate(tmp_path), compiles=True):
        benchmarker.benchmark_cpu(lambda: 1 / 0, warmup=0, rep=0)
    assert not callback_handler.start_callbacks
    assert not callback_handler.end_callbacks
    assert "benchmark_cpu" not in vars(benchmarker)
    assert can_enter(DeviceGate(tmp_path), "alone", 10.0)
    time.sleep(gated.LINGER_SECONDS * 2)
    assert can_enter(DeviceGate(tmp_path), "alone", 10.0)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_autotuning_on_a_gpu_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))  # else there is nothing left to tune
    torch._dynamo.reset()
    entered: list[str] = []

    class Watched(DeviceGate):
        def enter(self, how: Literal["shared", "alone"]) -> int:
            entered.append(how)
            return super().enter(how)

    gate = Watched(tmp_path / "gate")
    model, x = torch.nn.Linear(1024, 1024, device="cuda"), torch.randn(1024, 1024, device="cuda")
    call = baselines.build("compile-max-autotune", model, (x,), "cuda", FirstCall(gate, compiles=True))
    assert entered[0] == "shared"
    assert "alone" in entered
    assert entered.count("alone") < 20, "benchmarks that follow each other keep the device"
    assert can_enter(gate, "alone", 10.0)
    with torch.no_grad():
        torch.testing.assert_close(call(x), model(x), rtol=1e-3, atol=1e-3)
