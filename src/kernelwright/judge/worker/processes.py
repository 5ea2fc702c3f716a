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
    try:
        text = Path("/proc", pid, "stat").read_text()
    except OSError:
        return None
    # the command name may hold anything, parentheses too: fields count from after the last one
    fields = text[text.rindex(")") + 2 :].split()
    ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    return int(fields[1]), ticks, int(fields[21])


def descendants_usage(root: int) -> Usage:
    """Usage of ``root`` and everything below it. Shared pages count once for each process that maps them."""
    table = {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    ticks = pages = count = 0
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in table:
            count += 1
            ticks += table[pid][1]
            pages += table[pid][2]
        todo.extend(children.get(pid, ()))
    return Usage(pages * _PAGE, ticks / _TICK, count)
