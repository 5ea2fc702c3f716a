"""Building a baseline beside others' timing: compiling needs no device, autotuning needs it alone, a call shares it.

All three happen inside the first call of a compiled module. TorchDynamo says when it compiles
(``torch._dynamo.callback``), and every benchmark of TorchInductor's autotuning goes through one object
(``torch._inductor.runtime.benchmarking.benchmarker``). torch 2.9, 2.11 and 2.13 have both;
tests/suites/test_gated_build.py looks whether the one that is installed has.
"""

import fcntl
import functools
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from kernelwright.judge.gate import DeviceGate

LINGER_SECONDS = 0.2
"""How long the device is kept after a benchmark: the next one usually follows at once, and whoever lets go in between
stands behind everybody else again."""
BENCHMARKS = ("benchmark_gpu", "benchmark_gpu_with_cuda_graph", "benchmark_cpu")
"""The benchmarker's methods that run something."""


class FirstCall:
    """The gate around the first call of one baseline. ``with FirstCall(gate, compiles=True): call(*inputs)``."""

    def __init__(self, gate: DeviceGate, *, compiles: bool) -> None:
        self._gate = gate
        self._compiles = compiles
        self._lock = threading.RLock()
        self._fd: int | None = None
        self._alone = False
        self._compiling = False
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        self._fd = self._gate.enter("shared")
        if self._compiles:
            from torch._dynamo.callback import callback_handler
            from torch._inductor.runtime.benchmarking import benchmarker

            callback_handler.register_start_callback(self._compiling_begins)
            callback_handler.register_end_callback(self._compiling_ends)
            for name in BENCHMARKS:
                if (method := getattr(benchmarker, name, None)) is not None:
                    setattr(benchmarker, name, self._gated(method))

    def __exit__(self, *_: object) -> None:
        if self._compiles:
            from torch._dynamo.callback import callback_handler
            from torch._inductor.runtime.benchmarking import benchmarker

            with suppress(ValueError):  # whoever resets TorchDynamo forgets them
                callback_handler.remove_start_callback(self._compiling_begins)
                callback_handler.remove_end_callback(self._compiling_ends)
            for name in BENCHMARKS:
                vars(benchmarker).pop(name, None)
        with self._lock:
            self._stop_timer()
            self._leave()

    def _compiling_begins(self, args: Any) -> None:
        if args.callback_trigger.name == "DYNAMO":  # others are about work on the device: CUDA graphs are recorded
            with self._lock:
                self._compiling = True
                if not self._alone:
                    self._leave()

    def _compiling_ends(self, args: Any) -> None:
        if args.callback_trigger.name == "DYNAMO":
            with self._lock:
                self._stop_timer()
                self._compiling = False
                self._share()

    def _gated(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def benchmark(*args: Any, **kwargs: Any) -> Any:
            with self._benchmarking():
                return method(*args, **kwargs)

        return benchmark

    @contextmanager
    def _benchmarking(self) -> Generator[None]:
        """One benchmark calls another one, in the same thread; those of two threads follow each other."""
        with self._lock:
            self._stop_timer()
            if not self._alone:
                self._leave()
                self._fd, self._alone = self._gate.enter("alone"), True
            try:
                yield
            finally:
                self._stop_timer()
                self._timer = threading.Timer(LINGER_SECONDS, self._no_more_benchmarks)
                self._timer.daemon = True
                self._timer.start()

    def _no_more_benchmarks(self) -> None:
        with self._lock:
            if self._timer is None or threading.current_thread() is not self._timer:
                return  # stopped, or followed by another one, while it waited for the lock
            self._timer = None
            if self._compiling:
                self._leave()
            else:
                self._share()

    def _share(self) -> None:
        """From wherever this stands, to sharing the device."""
        if self._fd is None:
            self._fd = self._gate.enter("shared")
        elif self._alone:
            fcntl.flock(self._fd, fcntl.LOCK_SH)
        self._alone = False

    def _leave(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._alone = None, False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
