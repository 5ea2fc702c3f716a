"""What a candidate's process would be held by on this machine: tried with an empty process, for ``doctor``."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from kernelwright.judge.isolation.sandbox import Sandbox, cell_layers
from kernelwright.schema import IsolationLayer

SECONDS = 30.0
_TRY = (
    "import json, sys; from kernelwright.judge.worker import cell; "
    "print(json.dumps(cell.tried(namespaces=sys.argv[1] == '1')._asdict()))"
)


def layers(sandbox: Sandbox) -> tuple[tuple[IsolationLayer, ...], str]:
    """The layers that hold in this sandbox, and in one line what was refused (empty when nothing was)."""
    with tempfile.TemporaryDirectory(prefix="kernelwright-") as directory:
        scratch = sandbox.scratch(Path(directory))
        argv = [sys.executable, "-c", _TRY, "1" if sandbox.namespaces else "0"]
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": scratch, "HOME": scratch, "PYTHONPATH": ":".join(sys.path)}
        command = sandbox.command(argv, environment, gpu=False)
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            granted = json.loads(ended.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return (), f"the sandbox did not start: {error}"
    refused = " ".join(ended.stderr.split())
    return (*sandbox.layers, *cell_layers(**granted)), refused
