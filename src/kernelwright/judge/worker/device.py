"""Where a candidate's module runs, as its own process sees it: the platform's device, or a stand-in for a Mac's."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from kernelwright.problems.structure import map_leaves

if TYPE_CHECKING:
    pass


class Device(Protocol):
    """What the harness asks of it."""

    name: str
    """The torch device that the module is moved to."""

    @contextmanager
    def active(self) -> Generator[None]:
        """The candidate's code runs in here."""
        ...

    def take(self, inputs: Any) -> Any:
        """Inputs that lie on the platform's device, as the candidate gets them."""
        ...

    def type_of(self, tensor: torch.Tensor) -> str:
        """The device that the candidate left a tensor on."""
        ...

    def watch(self, request: dict[str, Any] | None) -> None:
        """What to look at in the call to come."""
        ...

    def record(self) -> dict[str, Any] | None:
        """What was seen in the last call."""
        ...


class PlatformDevice:
    """The platform's own device."""

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def active(self) -> Generator[None]:
        yield

    def take(self, inputs: Any) -> Any:
        return inputs

    def type_of(self, tensor: torch.Tensor) -> str:
        return tensor.device.type

    def watch(self, request: dict[str, Any] | None) -> None:
        """Nothing can be watched here but time, and that is the bench's."""

    def record(self) -> dict[str, Any] | None:
        return None


class StandInDevice:
    """``mps`` on the CPU or an NVIDIA GPU, where Metal kernels run on our own runtime."""

    name = "mps"

    def __init__(self, host: Literal["cpu", "cuda"]) -> None:
        from kernelwright.metal.stand_in import StandIn

        self._mac: StandIn = StandIn(host)

    @contextmanager
    def active(self) -> Generator[None]:
        with self._mac:
            yield

    def take(self, inputs: Any) -> Any:
        return map_leaves(lambda leaf: self._mac.device.adopt(leaf) if isinstance(leaf, torch.Tensor) else leaf, inputs)

    def type_of(self, tensor: torch.Tensor) -> str:
        return "mps" if self._mac.device.holds(tensor) else tensor.device.type

    def watch(self, request: dict[str, Any] | None) -> None:
        self._mac.journal.begin(**(request or {"inspecting": False, "seconds": 0.0}))

    def record(self) -> dict[str, Any] | None:
        return self._mac.journal.record()
