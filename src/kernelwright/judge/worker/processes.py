"""What a tree of processes uses, read from ``/proc``: memory, CPU time, how many there are."""

import os
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Resident bytes, CPU seconds (user and system, reaped children included) and number of processes."""

    resident: int
    cpu_seconds: float
    processes: int


def _stat(pid: str) -> tuple[int, int, int] | None:
    """Parent, CPU ticks and resident pages of one process; ``None`` when it is gone."""
    try:  # plain system calls: hundreds of processes are read between two timed blocks
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            text = os.read(fd, 4096)
        finally:
            os.close(fd)
    except OSError:
        return None
    # the command name may hold anything, parentheses too: fields count from after the last one
    fields = text[text.rindex(b")") + 2 :].split()
    ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    return int(fields[1]), ticks, int(fields[21])


def _tree(root: int) -> dict[int, tuple[int, int, int]]:
    """``root`` and everything below it, with their statistics."""
    pids = (entry.name for entry in os.scandir("/proc") if entry.name.isdigit())
    table = {int(pid): stat for pid in pids if (stat := _stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, tuple[int, int, int]] = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in table:
            found[pid] = table[pid]
        todo.extend(children.get(pid, ()))
    return found


def descendants_usage(root: int) -> Usage:
    """Usage of ``root`` and everything below it. Shared pages count once for each process that maps them."""
    stats = _tree(root).values()
    return Usage(sum(s[2] for s in stats) * _PAGE, sum(s[1] for s in stats) / _TICK, len(stats))


def _proportional(pid: int, resident_pages: int) -> int:
    """Bytes of one process, each shared page divided among those that share it; all of them where that is not told."""
    try:
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return resident_pages * _PAGE
    return resident_pages * _PAGE


def descendants_memory(root: int) -> int:
    """Bytes that ``root`` and everything below it hold together. Slower than ``descendants_usage``, and exact."""
    return sum(_proportional(pid, pages) for pid, (_, _, pages) in _tree(root).items())
