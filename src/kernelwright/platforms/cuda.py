"""NVIDIA GPUs through torch.cuda: the current device."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

from kernelwright.platforms import limits_file
from kernelwright.platforms.contract import Stamps
from kernelwright.platforms.cpu_facts import cores
from kernelwright.schema import DeviceFacts, DeviceLimits

_DEFAULT_FLUSH = 128 << 20
STALL_CYCLES = 2_000_000
"""About a millisecond at the clock rates of data centre GPUs."""


class EventStamps:
    """Pairs of timing events, made beforehand, recorded on the current stream.

    Works with the events of torch.cuda and torch.mps. ``synchronize`` waits for the whole device before anything is
    read, so work on other streams is over, but does not lie between the stamps: the judge's own clock sees it.
    """

    def __init__(
        self, n: int, new_event: Callable[[], object], synchronize: Callable[[], None], stream: object | None = None
    ):
        self._began = [new_event() for _ in range(n)]
        self._ended = [new_event() for _ in range(n)]
        self._stamped = [[False, False] for _ in range(n)]
        self._synchronize = synchronize
        self._on = () if stream is None else (stream,)
        """Where events are recorded, whatever stream a call leaves behind; the current one where there is no choice."""

    def start(self, i: int) -> None:
        self._stamped[i][0] = True
        self._began[i].record(*self._on)  # type: ignore[attr-defined]

    def stop(self, i: int) -> None:
        self._ended[i].record(*self._on)  # type: ignore[attr-defined]
        self._stamped[i][1] = True

    def milliseconds(self) -> list[float]:
        self._synchronize()
        events = zip(self._began, self._ended, self._stamped, strict=True)
        return [float(began.elapsed_time(ended)) for began, ended, both in events if all(both)]  # type: ignore[attr-defined]


class CudaPlatform:
    name = "cuda"
    device = "cuda"
    flush_between_calls = True

    def __init__(self) -> None:
        self._flush_buffer: object | None = None

    def available(self) -> bool:
        import torch

        return torch.cuda.is_available()

    def why_not(self) -> str | None:
        import torch

        if self.available():
            return None
        if torch.version.cuda is None:
            return (
                f"torch {torch.__version__} was built without CUDA: "
                "pip install torch --index-url https://download.pytorch.org/whl/cu130"
            )
        return f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no NVIDIA GPU or driver: nvidia-smi"

    def facts(self) -> DeviceFacts:
        import torch

        self._require()
        index = torch.cuda.current_device()
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        return DeviceFacts(
            platform="cuda",
            name=properties.name,
            memory_bytes=total,
            cores=properties.multi_processor_count,
            cache_bytes=_l2_bytes(properties),
            details={
                "capability": f"{properties.major}.{properties.minor}",
                "memory_free": str(free),
                "shared_memory_per_block": str(getattr(properties, "shared_memory_per_block_optin", "")),
                "threads_per_sm": str(getattr(properties, "max_threads_per_multi_processor", "")),
                "warp_size": str(getattr(properties, "warp_size", "")),
                "driver": _driver_version(),
                "cuda": torch.version.cuda or "",
                "torch": torch.__version__,
                "host_cores": str(cores()),
            },
        )

    def limits(self, refresh: bool = False) -> DeviceLimits:
        import torch

        from kernelwright.platforms import measure

        facts = self.facts()
        key = (facts.name, f"torch {torch.__version__}", f"{facts.cores} SMs", f"driver {facts.details['driver']}")

        def run() -> DeviceLimits:
            return measure.gpu_limits(self.device, facts.cache_bytes, self.memory_available(), self.synchronize)

        return limits_file.cached(key, run, refresh)

    def synchronize(self) -> None:
        import torch

        torch.cuda.synchronize()

    def callers_stream(self) -> AbstractContextManager[object]:
        import torch

        return torch.cuda.stream(torch.cuda.default_stream())

    def stall(self) -> None:
        import torch

        torch.cuda._sleep(STALL_CYCLES)

    def flush_cache(self) -> None:
        """Zeroes a buffer of twice the L2 cache on the caller's stream."""
        import torch

        if not isinstance(self._flush_buffer, torch.Tensor):
            cache = _l2_bytes(torch.cuda.get_device_properties(torch.cuda.current_device()))
            self._flush_buffer = torch.empty((2 * cache or _DEFAULT_FLUSH) // 4, dtype=torch.int32, device=self.device)
        with self.callers_stream():
            self._flush_buffer.zero_()

    def reset_memory(self, at_least: int = 0) -> None:
        """Drops the flush buffer and PyTorch's cached blocks."""
        import torch

        if not torch.cuda.is_initialized():
            return
        if torch.cuda.memory_reserved() - torch.cuda.memory_allocated() >= at_least:
            self._flush_buffer = None
            torch.cuda.empty_cache()

    def memory_available(self) -> int:
        """Free memory of the device, plus what PyTorch's allocator of this process holds unused."""
        import torch

        free, _ = torch.cuda.mem_get_info()
        return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()

    def stamps(self, n: int) -> Stamps:
        import torch

        stream = torch.cuda.default_stream()
        return EventStamps(n, lambda: torch.cuda.Event(enable_timing=True), self.synchronize, stream)

    def _require(self) -> None:
        reason = self.why_not()
        if reason is not None:
            raise RuntimeError(reason)


def _l2_bytes(properties: object) -> int:
    return int(getattr(properties, "L2_cache_size", 0))


def _driver_version() -> str:
    """The kernel driver's version, as nvidia-smi prints it; empty where the tool is not at hand (in a sandbox)."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else ""
