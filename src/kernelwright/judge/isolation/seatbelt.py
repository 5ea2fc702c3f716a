"""``sandbox-exec`` on macOS: no network, no writing outside one private directory.

Written against Apple's sandbox profile language (the ``sandbox-exec`` and ``sandbox-init`` manual pages and the
profiles that macOS ships in ``/System/Library/Sandbox/Profiles``). Not yet run on hardware. macOS has no PID
namespaces, so each sandbox serves one candidate and is then ended.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from kernelwright.judge.isolation.sandbox import Support
from kernelwright.schema import Isolation

PROFILE = Path(__file__).with_name("candidate.sb")


class Seatbelt:
    """The macOS sandbox."""

    kind = Isolation.SANDBOX_EXEC
    namespaces = False

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], *, gpu: bool, dies_with_parent: bool = False
    ) -> list[str]:
        del dies_with_parent  # there is no process in between that would survive
        del gpu  # the profile lets every candidate reach the GPU: Metal is what it is for
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["sandbox-exec", "-f", str(PROFILE), "-D", f"SCRATCH={environment['TMPDIR']}",
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
        [program, "-f", str(PROFILE), "-D", "SCRATCH=/private/tmp", sys.executable, "-c", "pass"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if trial.returncode != 0:
        return Support(
            "sandbox-exec", False, (trial.stderr.strip().splitlines() or ["the profile was refused"])[-1], ""
        )
    return Support("sandbox-exec", True, program, "")
