"""Where Kernelwright keeps what it knows of this machine: runs, limits, compiled programs. Imports no torch."""

import os
from pathlib import Path


def home() -> Path:
    """``$KERNELWRIGHT_HOME``, by default ``~/.kernelwright``."""
    given = os.environ.get("KERNELWRIGHT_HOME")
    return Path(given).expanduser() if given else Path.home() / ".kernelwright"
