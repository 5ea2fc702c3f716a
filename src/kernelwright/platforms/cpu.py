"""The CPU: complete. Every call runs to its end before it returns, so a stamp is a reading of the host's clock."""

import platform as system
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter_ns

from kernelwright.platforms import limits_file
from kernelwright.platforms.contract import Stamps
from kernelwright.platforms.cpu_facts import cores, last_level_cache, memory_available, memory_total, model_name
from kernelwright.schema import DeviceFacts, DeviceLimits

_SMALLEST_FLUSH, _LARGEST_FLUSH = 32 << 20, 256 << 20
_clock = perf_counter_ns  # bound before any candidate's code can put another clock in the module's place


class HostStamps:
    """Stamps by the host's monotonic clock, nanosecond resolution."""

    def __init__(self, n: int):
        self._began = [0] * n
        self._ended = [0] * n

    def start(self, i: int) -> None:
        self._began[i] = _clock()

    def stop(self, i: int) -> None:
        self._ended[i] = _clock()

    def milliseconds(self) -> list[float]:
        pairs = zip(self._began, self._ended, strict=True)
        return [(ended - began) / 1e6 for began, ended in pairs if began and ended]


class CpuPlatform:
    name = "cpu"
    device = "cpu"
    flush_between_calls = False

    def __init__(self) -> None:
        self._flush_buffer: object | None = None

    def available(self) -> bool:
        return True

    def why_not(self) -> str | None:
        return None

    def facts(self) -> DeviceFacts:
        import torch

        return DeviceFacts(
            platform="cpu",
            name=model_name(),
            memory_bytes=memory_total(),
            cores=cores(),
            cache_bytes=last_level_cache(),
            details={
                "architecture": system.machine(),
                "instructions": torch.backends.cpu.get_cpu_capability(),
                "threads": str(torch.get_num_threads()),
                "torch": torch.__version__,
            },
        )

    def limits(self, refresh: bool = False) -> DeviceLimits:
        import torch

        from kernelwright.platforms import measure

        facts = self.facts()
        key = (facts.name, f"torch {torch.__version__}", f"{torch.get_num_threads()} threads")
        return limits_file.cached(key, lambda: measure.cpu_limits(facts.cache_bytes), refresh)

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def callers_stream(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stall(self) -> None:
        """There is one stream."""

    def flush_cache(self) -> None:
        """Writes twice the last-level cache, at least 32 and at most 256 MiB."""
        import torch

        if not isinstance(self._flush_buffer, torch.Tensor):
            size = min(max(2 * last_level_cache(), _SMALLEST_FLUSH), _LARGEST_FLUSH)
            self._flush_buffer = torch.empty(size // 4, dtype=torch.int32)
        self._flush_buffer.fill_(1)

    def reset_memory(self, at_least: int = 0) -> None:
        """Frees the flush buffer; the allocator keeps nothing else back that it can name."""
        if not at_least:
            self._flush_buffer = None

    def memory_available(self) -> int:
        return memory_available()

    def stamps(self, n: int) -> Stamps:
        return HostStamps(n)
