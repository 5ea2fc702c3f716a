"""The first call of a baseline beside others' timing: compiling keeps nobody out, benchmarks are alone."""

import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kernelwright.judge import first_call
from kernelwright.judge.first_call import BENCHMARKS, TRITON_COMPILES, FirstCall
from kernelwright.judge.gate import DeviceGate, How, Visitor
from kernelwright.judge.reference import baselines

LINGER_SECONDS = 0.2
"""Longer than others are looked for here."""


@pytest.fixture(autouse=True)
def lingers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_call, "LINGER_SECONDS", LINGER_SECONDS)


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
    with closing(gate.visitor()) as visitor:
        baselines.build("compile", torch.nn.ReLU(), (torch.randn(3),), "cpu", FirstCall(visitor, compiles=True))
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
    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        assert can_enter(gate, "shared", 10.0)
        alone: list[bool] = []
        for _ in range(3):
            benchmarker.benchmark_cpu(lambda: alone.append(can_enter(gate, "shared")), warmup=0, rep=0)
        assert alone[0], "the very first call is made before it is alone"
        assert not any(alone[1:])
        assert can_enter(gate, "shared", 10.0), "whoever waits comes in when no benchmark follows"
        assert not can_enter(gate, "alone")
    assert can_enter(gate, "alone", 10.0)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    from torch._dynamo.callback import callback_handler
    from torch._inductor.runtime.benchmarking import benchmarker

    visitor = DeviceGate(tmp_path).visitor()
    with pytest.raises(ZeroDivisionError), FirstCall(visitor, compiles=True):
        benchmarker.benchmark_cpu(lambda: 1 / 0, warmup=0, rep=0)
    assert not callback_handler.start_callbacks
    assert not callback_handler.end_callbacks
    assert "benchmark_cpu" not in vars(benchmarker)
    assert can_enter(DeviceGate(tmp_path), "alone", 10.0)
    time.sleep(LINGER_SECONDS * 2)
    assert can_enter(DeviceGate(tmp_path), "alone", 10.0)
    visitor.close()


def a_triton_kernel(compiles: Any) -> Any:
    """A kernel of Triton's, as far as its JIT asks before it compiles; ``compiles`` takes the compiler's place."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget

    def kernel(_x: object) -> None: ...

    made = triton.runtime.jit.JITFunction(kernel)
    made.device_caches = {0: ({}, {}, GPUTarget("cuda", 90, 32), None, None)}
    made.ASTSource = lambda *_: None
    made.compile = compiles
    return lambda: getattr(made, TRITON_COMPILES)("key", {}, 0, {}, SimpleNamespace(), {}, False)


def test_others_time_while_triton_compiles(tmp_path: Path) -> None:
    """Also where a kernel does not compile, and what follows shares the device again."""
    gate, seen = DeviceGate(tmp_path), []

    def compiles(*_: object, **__: object) -> None:
        seen.append(can_enter(gate, "alone", 10.0))
        if len(seen) == 2:
            raise ZeroDivisionError

    compile_one = a_triton_kernel(compiles)
    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=False):
        for fails in (False, True):
            if fails:
                with pytest.raises(ZeroDivisionError):
                    compile_one()
            else:
                compile_one()
            assert can_enter(gate, "shared", 10.0)
            assert not can_enter(gate, "alone")
    assert seen == [True, True]
    compile_one()
    assert can_enter(gate, "alone", 10.0)


def test_others_time_between_the_steps_of_a_coordinate_descent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TorchInductor compiles a kernel for each step, by itself, within the first call."""
    triton = pytest.importorskip("triton")
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, seen = DeviceGate(tmp_path), []
    monkeypatch.setattr(triton, "compile", lambda: seen.append(("compiling", can_enter(gate, "alone", 10.0))))
    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        for _ in range(2):
            triton.compile()
            benchmarker.benchmark_cpu(lambda: seen.append(("tuning", can_enter(gate, "shared"))), warmup=0, rep=0)
        assert can_enter(gate, "shared", 10.0), "whoever waits comes in when no other step follows"
    assert all(free for what, free in seen if what == "compiling")
    tuning = [free for what, free in seen if what == "tuning"]
    assert tuning.count(True) == 2, "beside the first call of each step others share the device"
    assert not tuning[1]
    assert not tuning[-1]
    assert can_enter(gate, "alone", 10.0)
    triton.compile()
    assert not visitor.holds, "the compiler is left as it was"


def test_others_share_the_device_while_a_benchmark_loads(tmp_path: Path) -> None:
    """Its first call is made before it is alone; a short one keeps the device for the benchmark."""
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, seen = DeviceGate(tmp_path), []

    def long() -> None:
        seen.append(can_enter(gate, "shared", 10.0 if not seen else 0.05))

    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
        assert visitor.holds == "alone"
        benchmarker.benchmark_cpu(long, warmup=0, rep=0)
    assert seen[0], "nobody came in while it loaded"
    assert len(seen) > 1
    assert not any(seen[1:])


@pytest.mark.parametrize(
    ("slow", "mode", "calls", "benchmarked"),
    [(9, {}, 2, False), (1, {}, 3, True), (9, {"return_mode": "all"}, 2, True)],
    ids=["slow", "loads", "every sample"],
)
def test_what_takes_long_is_called_once_more_instead_of_benchmarked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: int, mode: dict[str, str], calls: int, benchmarked: bool
) -> None:
    """Not what took long only the first time, as what loads does; nor where every sample is asked for."""
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, alone = DeviceGate(tmp_path), []
    monkeypatch.setattr(first_call, "LONG_SECONDS", 0.02)
    monkeypatch.setattr(
        type(benchmarker), "benchmark_gpu", lambda _self, call, **_: "benchmark" if not call() else None
    )

    def kernel() -> None:
        alone.append(not can_enter(gate, "shared", 0.001))
        time.sleep(0.03 if len(alone) <= slow else 0.0)

    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        found = benchmarker.benchmark_gpu(kernel, **mode)
    assert alone == [False, True, True][:calls]
    assert found == "benchmark" if benchmarked else 30 <= found < 1e4, "milliseconds"


def test_what_compiles_at_once_keeps_the_device_for_the_benchmark_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = pytest.importorskip("triton")
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, held = DeviceGate(tmp_path), []
    monkeypatch.setattr(triton, "compile", lambda: None)
    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
        for _ in range(3):
            triton.compile()
            held.append(visitor.holds)
            benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
    assert held == ["alone"] * 3


def test_what_compiled_for_long_lets_go_of_the_device_at_once_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = pytest.importorskip("triton")
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, seen = DeviceGate(tmp_path), []
    monkeypatch.setattr(first_call, "SHORT_SECONDS", 5.0)
    monkeypatch.setattr(triton, "compile", lambda seconds: (time.sleep(seconds), seen.append(visitor.holds)))
    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
        triton.compile(0.02)
        monkeypatch.setattr(first_call, "SHORT_SECONDS", 0.01)
        for _ in range(2):
            benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
            triton.compile(0.0)
    assert seen == ["alone", None, "alone"], "kept, let go of after a long one, kept after a short one"


def test_a_kernel_that_is_compiled_within_a_benchmark_leaves_it_alone(tmp_path: Path) -> None:
    from torch._inductor.runtime.benchmarking import benchmarker

    gate, seen = DeviceGate(tmp_path), []
    compile_one = a_triton_kernel(lambda *_, **__: seen.append(can_enter(gate, "shared")))

    def run() -> None:
        compile_one()
        seen.append(can_enter(gate, "shared"))

    with closing(gate.visitor()) as visitor, FirstCall(visitor, compiles=True):
        benchmarker.benchmark_cpu(lambda: 1, warmup=0, rep=0)
        benchmarker.benchmark_cpu(run, warmup=0, rep=0)
    assert seen
    assert not any(seen)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_autotuning_on_a_gpu_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))  # else there is nothing left to tune
    torch._dynamo.reset()
    entered: list[str] = []

    class Watched(Visitor):
        def enter(self, how: How) -> None:
            entered.append(how)
            super().enter(how)

    gate = DeviceGate(tmp_path / "gate")
    visitor = Watched(*gate.descriptors())
    model, x = torch.nn.Linear(1024, 1024, device="cuda"), torch.randn(1024, 1024, device="cuda")
    call = baselines.build("compile-max-autotune", model, (x,), "cuda", FirstCall(visitor, compiles=True))
    assert entered[0] == "shared"
    assert "alone" in entered
    assert entered.count("alone") < 20, "benchmarks that follow each other keep the device"
    assert can_enter(gate, "alone", 10.0)
    visitor.close()
    with torch.no_grad():
        torch.testing.assert_close(call(x), model(x), rtol=1e-3, atol=1e-3)
