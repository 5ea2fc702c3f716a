"""Facts about the CPU and the memory that this process may use: Linux (with control groups) and macOS."""

import os
import platform
import re
import subprocess
from pathlib import Path

_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def model_name() -> str:
    """The name its maker gave it, or the architecture where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "Hardware") and value.strip():
                return value.strip()
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def last_level_cache() -> int:
    """Bytes of the largest cache that core 0 (or the first one allowed) sees; 0 where unknown."""
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    sizes = [_size(path.read_text()) for path in (_CPU / f"cpu{core}" / "cache").glob("index*/size")]
    if sizes:
        return max(sizes)
    told = [_sysctl(name) for name in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")]
    return next((int(size) for size in told if size and int(size)), 0)


def memory_total() -> int:
    """Bytes of main memory, or of the control group where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _group("memory.max")
    return min(total, limit) if limit is not None else total


def memory_available() -> int:
    """Bytes that can be allocated now without swapping."""
    free = memory_total()
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free = min(free, _size(fields.get("MemAvailable", fields["MemFree"])))
    limit, used = _group("memory.max"), _group("memory.current")
    if limit is not None and used is not None:
        reclaimable = _group("memory.stat", "inactive_file") or 0
        free = min(free, max(limit - used + reclaimable, 0))
    return free


def _group(file: str, field: str | None = None) -> int | None:
    """A number of this process's control group (version 2); ``None`` where there is no such limit."""
    text = next((path.read_text() for path in _group_files(file) if path.exists()), None)
    if text is None:  # version 1, no control groups, or another system
        return None
    if field is not None:
        text = next((line.split()[1] for line in text.splitlines() if line.split()[0] == field), "max")
    return int(text) if text.strip().isdigit() else None


def _group_files(file: str) -> list[Path]:
    """Where the file may be: in this process's own group, or at the root as a container sees it."""
    membership = Path("/proc/self/cgroup")
    lines = membership.read_text().splitlines() if membership.exists() else []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    return [_CGROUP / own / file, _CGROUP / file]


def _size(text: str) -> int:
    """``32768K``, ``1M`` or ``7912408 kB`` in bytes."""
    match = re.match(r"\s*(\d+)\s*([KMG]?)", text, re.IGNORECASE)
    if match is None:
        return 0
    return int(match[1]) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(match[2].upper(), 1)


def _sysctl(name: str) -> str:
    """macOS's answer, empty anywhere else."""
    if platform.system() != "Darwin":
        return ""
    done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    return done.stdout.strip()
