"""What a platform is: the device that candidates run on, its clock, its cache and its limits."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from kernelwright.schema import DeviceFacts, DeviceLimits


class Stamps(Protocol):
    """Time stamps around ``n`` calls, taken on the device's own time line."""

    def start(self, i: int) -> None:
        """Stamp before call ``i``, 0 ≤ i < n. Does not wait for the device."""
        ...

    def stop(self, i: int) -> None:
        """Stamp after call ``i``. Does not wait for the device."""
        ...

    def milliseconds(self) -> list[float]:
        """Waits for the whole device, then gives the milliseconds of every call that was stamped twice, in order."""
        ...


@runtime_checkable
class Platform(Protocol):
    """One device. Cheap to make; torch is imported by the first method that needs it. Nothing is shared between two."""

    name: str
    """``cpu``, ``cuda``, ``mps``, or what another package registered."""
    device: str
    """The torch device string that inputs and modules are moved to."""
    flush_between_calls: bool
    """Whether a flush can be queued on the device between two timed calls without the host waiting for it."""

    def available(self) -> bool: ...

    def why_not(self) -> str | None:
        """One line that says what is missing and the command that helps; ``None`` when available."""
        ...

    def facts(self) -> DeviceFacts:
        """Read from the driver and the system, never from the name. Raises ``RuntimeError`` when not available."""
        ...

    def limits(self, refresh: bool = False) -> DeviceLimits:
        """Measured on this device in a few seconds, or what an earlier call stored; ``refresh`` measures again."""
        ...

    def synchronize(self) -> None:
        """Waits for everything queued on the device, on every stream."""
        ...

    def callers_stream(self) -> AbstractContextManager[object]:
        """Inside, what is queued goes where a caller's own work goes, whatever stream a module has left behind."""
        ...

    def stall(self) -> None:
        """Queues about a millisecond of idleness on the current stream, and on no other; nothing without streams.

        What is queued after it is late: work on another stream that does not wait for this one overtakes it.
        """
        ...

    def flush_cache(self) -> None:
        """Overwrites the last-level cache. Queues the work; does not wait where the device has a queue."""
        ...

    def reset_memory(self, at_least: int = 0) -> None:
        """Gives cached, unused memory back to the system, where it is ``at_least`` so many bytes."""
        ...

    def memory_available(self) -> int:
        """Bytes that can be allocated on the device now."""
        ...

    def stamps(self, n: int) -> Stamps: ...
