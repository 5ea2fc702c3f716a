"""A Mac's torch on a machine without one: device ``mps`` and ``torch.mps`` on the CPU or on an NVIDIA GPU.

``StandIn("cpu")`` is a context manager. Inside it, in this thread, code written for a Mac runs as it stands: tensors
move to ``"mps"``, ``torch.mps.compile_shader`` compiles with our own Metal room, kernels run and are watched. Start
reading at ``device.py``.
"""

from contextlib import ExitStack
from typing import Self

from kernelwright.metal.stand_in.device import MPS, Host, MpsDevice
from kernelwright.metal.stand_in.journal import Journal
from kernelwright.metal.stand_in.torch_mps import installed

__all__ = ["MPS", "Host", "Journal", "MpsDevice", "StandIn"]


class StandIn:
    """The device, what was launched on it, and torch's functions in its place while the context lasts."""

    def __init__(self, host: Host) -> None:
        """``host``: what carries the kernels out, ``cpu`` or ``cuda``."""
        self.device = MpsDevice(host)
        self.journal = Journal()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(installed(self.device, self.journal))
        self._stack.enter_context(self.device)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
