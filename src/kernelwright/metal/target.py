"""What differs between the systems and processors that Metal programs are compiled for. Imports no torch."""

import platform
import sys
from dataclasses import dataclass

_X86 = ("-mf16c", "-mavx2", "-mfma")
_NO_CALLS_FOR_ATOMICS = ("-mno-outline-atomics",)
"""Where gcc is installed clang calls atomic functions of gcc's library, which is not linked."""


@dataclass(frozen=True)
class Target:
    """A system and a processor."""

    system: str
    """As in ``sys.platform``: ``linux`` or ``darwin``."""
    machine: str
    """``x86_64`` or ``aarch64``, which Apple calls ``arm64``."""
    native: tuple[str, ...] = ()
    """Flags for all that the processor of this machine can do. Checked programs do without."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Of whatever is compiled."""
        return _NO_CALLS_FOR_ATOMICS if (self.system, self.machine) == ("linux", "aarch64") else ()

    @property
    def checked(self) -> tuple[str, ...]:
        """Of checked programs."""
        return self.flags + (_X86 if self.machine == "x86_64" else ())

    @property
    def keeps_objects(self) -> bool:
        """Whether line tables stay behind in the object file: Apple's linker does not copy them."""
        return self.system == "darwin"

    def shared(self, *, own_calls: bool = False) -> tuple[str, ...]:
        """The linker's flags for a library. ``own_calls``: it finds the functions that it calls in itself; otherwise
        in the process that loads it.
        """
        if self.system == "darwin":  # the linker also signs what it writes
            return ("-dynamiclib", *(() if own_calls else ("-undefined", "dynamic_lookup")))
        return ("-shared", "--eh-frame-hdr", *(("-Bsymbolic",) if own_calls else ()))


def host() -> Target:
    """This machine."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    if sys.platform == "darwin":  # clang takes the first of Apple's processors; not every Xcode knows "native"
        return Target(sys.platform, machine)
    return Target(sys.platform, machine, ("-march=native",) if machine == "x86_64" else ("-mcpu=native",))
