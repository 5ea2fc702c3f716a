"""A call that compiles, beside others' timing: compiling needs no device, autotuning needs it alone, a call shares it.

All three happen inside the first call of a compiled module. TorchDynamo says when it compiles
(``torch._dynamo.callback``), every benchmark of TorchInductor's autotuning goes through one object
(``torch._inductor.runtime.benchmarking.benchmarker``), every kernel of Triton's own JIT is compiled by one method
(``triton.runtime.JITFunction._do_compile``), and TorchInductor compiles those that it tunes while they are first run
by ``triton.compile``: ``max-autotune`` descends coordinate by coordinate, a kernel for each step. Triton's hooks for
its JIT, ``knobs.runtime.jit_cache_hook`` and ``jit_post_compile_hook``, are called by the method too, but the second
one not for a kernel that does not compile; so it is the method that is wrapped, and hooks stay whose they are. torch
2.9, 2.11 and 2.13 have the first two, Triton 3.5 to 3.9 the others; tests/suites/test_gated_build.py looks whether what
is installed has them. Where a Triton has not, its compiling shares the device.
"""

import functools
import importlib
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from kernelwright.judge.gate import Visitor

LINGER_SECONDS = 0.04
"""How long the device is kept after a benchmark: the next one often follows at once, and whoever lets go in between
stands behind everybody else again. With five times as long, this was almost half of what max-autotune kept two H200
for."""
SHORT_SECONDS = 0.1
"""What compiles for less than this (its kernel is in a cache) keeps the device: coming in again may take longer. It is
taken to be as short as the compiling before: a thousand kernels of one suite's autotuning, most of which took half a
second, kept the device idle for a tenth of its time."""
BENCHMARKS = ("benchmark_gpu", "benchmark_gpu_with_cuda_graph", "benchmark_cpu")
"""The benchmarker's methods that run something."""
LONG_SECONDS = 0.02
"""What takes longer than this is called once more instead of benchmarked, which is exact enough by then. TorchInductor
calls everything seven times at least, however long it takes, and some of what ``max-autotune`` tries takes seconds
where the best takes milliseconds: one problem of KernelBench kept an H200 for five minutes (torch 2.11)."""
TRITON_COMPILES = "_do_compile"


class FirstCall:
    """The gate around one call. ``with FirstCall(visitor, compiles=True): call(*inputs)``.

    ``compiles``: TorchDynamo may be at work in it, which takes seconds to import. Triton is looked after wherever it
    was imported before.
    """

    def __init__(self, visitor: Visitor, *, compiles: bool) -> None:
        self._visitor = visitor
        self._compiles = compiles
        self._lock = threading.RLock()
        self._compiling = 0
        self._compiles_since = 0.0
        self._compiled_seconds = 0.0
        """What compiled last."""
        self._benchmarks = 0
        self._timer: threading.Timer | None = None
        self._compilers: list[tuple[Any, str, Any]] = []
        """Where Triton compiles, and what was there."""

    def __enter__(self) -> None:
        if self._compiles:
            from torch._dynamo.callback import callback_handler
            from torch._inductor.runtime.benchmarking import benchmarker

            with suppress(ImportError):  # TorchInductor will: it must be there to be watched
                importlib.import_module("triton.runtime.jit")
            callback_handler.register_start_callback(self._dynamo_begins)
            callback_handler.register_end_callback(self._dynamo_ends)
            for name in BENCHMARKS:
                if (method := getattr(benchmarker, name, None)) is not None:
                    setattr(benchmarker, name, self._gated(method))
        self._watch_triton()
        try:
            self._visitor.enter("shared")
        except BaseException:
            self._forget()
            raise

    def __exit__(self, *_: object) -> None:
        self._forget()
        with self._locked():
            self._stop_timer()
            self._visitor.leave_soon()

    def _forget(self) -> None:
        if self._compiles:
            from torch._dynamo.callback import callback_handler
            from torch._inductor.runtime.benchmarking import benchmarker

            with suppress(ValueError):  # whoever resets TorchDynamo forgets them
                callback_handler.remove_start_callback(self._dynamo_begins)
                callback_handler.remove_end_callback(self._dynamo_ends)
            for name in BENCHMARKS:
                vars(benchmarker).pop(name, None)
        while self._compilers:
            setattr(*self._compilers.pop())

    def _watch_triton(self) -> None:
        kernel = getattr(sys.modules.get("triton.runtime.jit"), "JITFunction", None)
        for place, name in ((kernel, TRITON_COMPILES), (sys.modules.get("triton"), "compile")):
            if (compiles := getattr(place, name, None)) is not None:
                self._compilers.append((place, name, compiles))
                setattr(place, name, self._outside(compiles))

    def _outside(self, compiles: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(compiles)
        def compile_outside(*args: Any, **kwargs: Any) -> Any:
            self._compiling_begins()
            try:
                return compiles(*args, **kwargs)
            finally:
                self._compiling_ends()

        return compile_outside

    def _dynamo_begins(self, args: Any) -> None:
        if args.callback_trigger.name == "DYNAMO":  # others are about work on the device: CUDA graphs are recorded
            self._compiling_begins()

    def _dynamo_ends(self, args: Any) -> None:
        if args.callback_trigger.name == "DYNAMO":
            self._compiling_ends()

    def _compiling_begins(self) -> None:
        with self._locked():
            if not self._compiling:
                self._compiles_since = time.monotonic()
            self._compiling += 1
            if self._visitor.holds is None or self._benchmarks:
                return
            if self._compiled_seconds < SHORT_SECONDS:
                self._later(SHORT_SECONDS)
            else:
                self._stop_timer()
                self._visitor.leave()

    def _compiling_ends(self) -> None:
        with self._locked():
            self._compiling -= 1
            if self._compiling:
                return
            self._compiled_seconds = time.monotonic() - self._compiles_since
            if self._benchmarks:
                return
            self._stop_timer()
            if self._visitor.holds == "alone":  # it lingers: what was compiled is to be tuned
                self._later(LINGER_SECONDS)
            else:
                self._visitor.share()

    def _gated(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def benchmark(*args: Any, **kwargs: Any) -> Any:
            call = args[0] if args else next(iter(kwargs.values()), None)
            once = None
            if callable(call) and self._prime(call) > LONG_SECONDS and kwargs.get("return_mode", "min") != "all":
                once = functools.partial(_seconds_of, call)
            with self._benchmarking():
                if once is not None and (seconds := once()) > LONG_SECONDS:  # it did not only load, or wait
                    return 1e3 * seconds
                return method(*args, **kwargs)

        return benchmark

    def _prime(self, call: Callable[[], Any]) -> float:
        """What is about to be timed, once: it may load kernels for seconds, and shares the device meanwhile.

        Whoever lingers alone goes on alone for a moment: most have loaded everything. The answer is how many seconds it
        took, and 0 within another benchmark, where nothing is called.
        """
        with self._locked():
            if self._benchmarks:
                return 0.0
            if self._visitor.holds is None:
                self._visitor.enter("shared")
            self._later(LINGER_SECONDS)
        return _seconds_of(call)

    @contextmanager
    def _benchmarking(self) -> Generator[None]:
        """One benchmark calls another one, in the same thread; those of two threads follow each other."""
        with self._locked():
            self._stop_timer()
            if self._visitor.holds != "alone":
                self._visitor.leave()
                self._visitor.enter("alone")
            self._benchmarks += 1
            try:
                yield
            finally:
                self._benchmarks -= 1
                self._later(LINGER_SECONDS)

    def _later(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = threading.Timer(seconds, self._settle)
        self._timer.daemon = True
        self._timer.start()

    def _settle(self) -> None:
        """No benchmark followed, it loads for long, or something still compiles."""
        with self._lock:
            if self._timer is None or threading.current_thread() is not self._timer:
                return  # stopped, or followed by another one, while it waited for the lock
            self._timer = None
            if self._compiling:
                self._visitor.leave()
            else:
                self._visitor.share()

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Whoever has the lock may be waiting before the gate: then waiting for the lock is that too."""
        if not self._lock.acquire(blocking=False):
            with self._visitor.patiently():
                self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _seconds_of(call: Callable[[], Any]) -> float:
    """Until the device has finished."""
    import torch

    began = time.perf_counter()
    call()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - began
