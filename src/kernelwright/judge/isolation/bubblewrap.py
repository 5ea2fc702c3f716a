"""bubblewrap (``bwrap``): fresh namespaces, no network, a read-only view of interpreter, packages and compilers.

The candidate sees what ``places.py`` lists, what all Metal programs share of the compiler's work, and an empty
``/tmp``, which is the only place besides ``/dev/shm`` that it can write to. It sees no home directory, no environment
variable that it was not given, and no device but the GPU's, and that only where the platform is one. Manual: bwrap(1).
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from kernelwright.judge.isolation import places
from kernelwright.judge.isolation.sandbox import Support
from kernelwright.judge.worker.cell import WHOLE_PROC
from kernelwright.schema import Isolation, IsolationLayer

INSTALL = "apt-get install -y bubblewrap"
_LINKED = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")


def _scratch() -> str:
    """Where each cell mounts its private directory: ``/tmp``, unless the environment itself lives there."""
    return (
        "/run/scratch" if any(place.startswith("/tmp/") for place in places.of_python(places.SYSTEM_LINUX)) else "/tmp"
    )


def _gpu_places() -> list[str]:
    devices = sorted(str(p) for p in Path("/dev").glob("nvidia*"))
    args: list[str] = []
    for device in devices:
        args += ["--dev-bind", device, device]
    for place in ("/sys", "/usr/local/nvidia", "/usr/local/cuda"):
        if Path(place).is_dir() and not place.startswith("/usr/"):
            args += ["--ro-bind", place, place]
    return args


def _is_directory(place: str) -> bool:
    return Path(place).is_dir()


class Bubblewrap:
    """The Linux sandbox."""

    kind = Isolation.BUBBLEWRAP
    layers: tuple[IsolationLayer, ...] = (IsolationLayer.NETWORK, IsolationLayer.FILES, IsolationLayer.ENVIRONMENT)
    namespaces = True

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], *, gpu: bool, dies_with_parent: bool = False
    ) -> list[str]:
        args = ["bwrap", "--unshare-all", "--new-session", "--hostname", "kernelwright"]
        if dies_with_parent:
            args.append("--die-with-parent")
        for place in places.SYSTEM_LINUX:
            args += ["--ro-bind-try", place, place]
        for place in _LINKED:
            if Path(place).is_symlink():
                args += ["--symlink", str(Path(place).readlink()), place]
            elif Path(place).is_dir():
                args += ["--ro-bind", place, place]
        for place in places.HIDDEN:
            if _is_directory(place):
                args += ["--tmpfs", place]
        args += ["--proc", "/proc", "--bind", "/proc", WHOLE_PROC, "--dev", "/dev", "--tmpfs", "/dev/shm"]
        args += ["--tmpfs", "/tmp"]
        for place in places.of_python(places.SYSTEM_LINUX):
            args += ["--ro-bind", place, place]
        if _scratch() != "/tmp":
            args += ["--tmpfs", _scratch(), "--remount-ro", "/tmp"]
        if gpu:
            args += _gpu_places()
        # what holds the mounts is memory that all candidates share: whatever one wrote there would reach the next
        for place in (*filter(_is_directory, places.HIDDEN), "/dev", "/"):
            args += ["--remount-ro", place]
        args += ["--clearenv"]
        for name, value in environment.items():
            args += ["--setenv", name, value]
        return [*args, "--chdir", _scratch(), "--", *argv]

    def scratch(self, fallback: Path) -> str:
        del fallback
        return _scratch()


@cache
def support() -> Support:
    """Whether ``bwrap`` is there and the kernel lets it work: tried, not guessed."""
    program = shutil.which("bwrap")
    if program is None:
        return Support("bubblewrap", False, "bwrap is not installed", INSTALL)
    trial = subprocess.run(
        [program, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if trial.returncode != 0:
        reason = (trial.stderr.strip().splitlines() or ["it failed without a word"])[-1]
        return Support("bubblewrap", False, reason, "sysctl kernel.unprivileged_userns_clone=1")
    return Support("bubblewrap", True, program, "")
