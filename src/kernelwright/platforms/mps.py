"""Apple GPUs through torch.mps. Written against PyTorch's documentation; not yet run on hardware.

The tests run it against a stand-in that answers the torch.mps functions called here as their documentation says.
"""

import sys
from contextlib import AbstractContextManager, nullcontext

from kernelwright.platforms import limits_file
from kernelwright.platforms.contract import Stamps
from kernelwright.platforms.cpu_facts import memory_total, model_name
from kernelwright.platforms.cuda import EventStamps
from kernelwright.schema import DeviceFacts, DeviceLimits

# Apple publishes no size for the system-level cache; 48 MiB is the largest one reported, of the Max and Ultra chips.
_ASSUMED_CACHE = 48 << 20


class MpsPlatform:
    name = "mps"
    device = "mps"
    flush_between_calls = True

    def __init__(self) -> None:
        self._flush_buffer: object | None = None

    def available(self) -> bool:
        import torch

        return torch.backends.mps.is_available()

    def why_not(self) -> str | None:
        import torch

        if self.available():
            return None
        if sys.platform != "darwin":
            return "no Apple GPU: MPS needs macOS on Apple silicon"
        if not torch.backends.mps.is_built():
            return f"torch {torch.__version__} was built without MPS: pip install --force-reinstall torch"
        return "MPS needs macOS 14 or newer on Apple silicon: softwareupdate --list"

    def facts(self) -> DeviceFacts:
        """``cache_bytes`` is 0: macOS does not tell the size of the system-level cache."""
        import torch

        reason = self.why_not()
        if reason is not None:
            raise RuntimeError(reason)
        core_count = getattr(torch.backends.mps, "get_core_count", None)
        name = getattr(torch.backends.mps, "get_name", None)
        return DeviceFacts(
            platform="mps",
            name=name() if name is not None else model_name(),
            memory_bytes=memory_total(),
            cores=core_count() if core_count is not None else 0,
            cache_bytes=0,
            details={
                "recommended_max_memory": str(torch.mps.recommended_max_memory()),
                "torch": torch.__version__,
            },
        )

    def limits(self, refresh: bool = False) -> DeviceLimits:
        import torch

        from kernelwright.platforms import measure

        facts = self.facts()

        def run() -> DeviceLimits:
            return measure.gpu_limits(self.device, _ASSUMED_CACHE, self.memory_available(), self.synchronize)

        return limits_file.cached((facts.name, f"torch {torch.__version__}", f"{facts.cores} GPU cores"), run, refresh)

    def synchronize(self) -> None:
        import torch

        torch.mps.synchronize()

    def callers_stream(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stall(self) -> None:
        """There is one stream."""

    def flush_cache(self) -> None:
        """Zeroes 96 MiB, twice the largest system-level cache reported."""
        import torch

        if not isinstance(self._flush_buffer, torch.Tensor):
            self._flush_buffer = torch.empty(2 * _ASSUMED_CACHE // 4, dtype=torch.int32, device=self.device)
        self._flush_buffer.zero_()

    def reset_memory(self, at_least: int = 0) -> None:
        import torch

        if torch.mps.driver_allocated_memory() - torch.mps.current_allocated_memory() >= at_least:
            self._flush_buffer = None
            torch.mps.empty_cache()

    def memory_available(self) -> int:
        """What Metal recommends to use at most, less what this process holds in tensors."""
        import torch

        return max(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory(), 0)

    def stamps(self, n: int) -> Stamps:
        import torch

        return EventStamps(n, lambda: torch.mps.Event(enable_timing=True), self.synchronize)
