"""What a candidate may read: interpreter, environment and packages, this package, compilers. Never a home directory."""

import os
import sys
from pathlib import Path

import kernelwright
from kernelwright.metal import cache as metal_cache

SYSTEM_LINUX = ("/usr", "/opt/cuda", "/opt/nvidia", "/opt/rocm", "/opt/rh", "/etc/alternatives", "/etc/ld.so.cache",
                "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
                "/etc/localtime")  # fmt: skip
"""Programs, libraries and compilers, and the few files of ``/etc`` without which the C library cannot work."""
SYSTEM_MAC = ("/usr", "/bin", "/sbin", "/System", "/Library/Developer", "/Library/Frameworks",
              "/Applications/Xcode.app", "/opt/homebrew", "/opt/local", "/private/var/db/timezone",
              "/private/var/db/xcode_select_link", "/private/etc/passwd", "/private/etc/group")  # fmt: skip
HIDDEN = ("/usr/local/etc",)
"""Inside of the above, where administrators keep configuration with passwords in it."""


def of_python(system: tuple[str, ...]) -> list[str]:
    """Directories of this interpreter and what it imports, outermost first, none that lies inside ``system``."""
    package = Path(kernelwright.__file__).resolve().parents[1]
    places = [Path(sys.base_prefix), Path(sys.prefix), package]
    asked_for = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    packages = (p for p in sys.path if "site-packages" in p or "dist-packages" in p or p in asked_for)
    places += [Path(p) for p in packages if p and Path(p).is_dir()]
    places += [Path(p).resolve() for p in (sys.base_prefix, sys.prefix)]
    places += metal_cache.shared()
    kept: list[str] = []
    for place in sorted({str(p) for p in places}, key=len):
        if not any(place == root or place.startswith(root + "/") for root in (*system, *kept)):
            kept.append(place)
    return kept
