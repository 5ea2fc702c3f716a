"""``sandbox-exec`` on macOS: no network, no writing outside one private directory, no reading of anybody's files.

Written against Apple's sandbox profile language (the ``sandbox-exec`` and ``sandbox-init`` manual pages, the profiles
that macOS ships in ``/System/Library/Sandbox/Profiles``, and what the GPU processes of WebKit and Chromium are
granted). Not yet run on hardware. macOS has no PID namespaces, so each sandbox serves one candidate and is then ended.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from kernelwright.judge.isolation import places
from kernelwright.judge.isolation.sandbox import Support
from kernelwright.schema import Isolation, IsolationLayer

_HERE = Path(__file__).parent


def profile(*, gpu: bool) -> str:
    """The sandbox profile: the part that holds everywhere, this interpreter's places, and Metal where it is needed."""
    readable = (*places.SYSTEM_MAC, *places.of_python(places.SYSTEM_MAC))
    lines = [f"(allow file-read* (subpath {_quoted(place)}))" for place in readable]
    parts = [(_HERE / "candidate.sb").read_text(), *lines]
    if gpu:
        parts.append((_HERE / "gpu.sb").read_text())
    return "\n".join(parts)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Seatbelt:
    """The macOS sandbox."""

    kind = Isolation.SANDBOX_EXEC
    layers: tuple[IsolationLayer, ...] = (IsolationLayer.NETWORK, IsolationLayer.FILES, IsolationLayer.ENVIRONMENT)
    namespaces = False

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], *, gpu: bool, dies_with_parent: bool = False
    ) -> list[str]:
        del dies_with_parent  # there is no process in between that would survive
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["sandbox-exec", "-p", profile(gpu=gpu), "-D", f"SCRATCH={environment['TMPDIR']}",
                "/usr/bin/env", "-i", *variables, *argv]  # fmt: skip

    def scratch(self, fallback: Path) -> str:
        return str(fallback.resolve())


@cache
def support() -> Support:
    """Whether ``sandbox-exec`` is there and takes our profile."""
    program = shutil.which("sandbox-exec")
    if program is None:
        return Support("sandbox-exec", False, "sandbox-exec is not part of this system", "")
    trial = subprocess.run(
        [program, "-p", profile(gpu=True), "-D", "SCRATCH=/private/tmp", sys.executable, "-c", "pass"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if trial.returncode != 0:
        return Support(
            "sandbox-exec", False, (trial.stderr.strip().splitlines() or ["the profile was refused"])[-1], ""
        )
    return Support("sandbox-exec", True, program, "")
