"""Appends every stay at the gate to a file of its process: a JSON object a line, written once the device is free again.

The files lie above the folder of this copy, ``stays-PID.jsonl``. Times are seconds of the machine's monotonic clock,
which all its processes share. A stay that ends with its process, by a kill, is not written.
"""

import functools
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]
ROLES = {
    "kernelwright.suites.child": "suite child",
    "kernelwright.judge.reference.server": "reference",
    "kernelwright.judge.worker.zygote": "candidate",
}
ROLE = next((role for module, role in ROLES.items() if module in sys.orig_argv), "other")
"""Of this process and its forks."""
CALLERS = 2
EVERYTHINGS = {"request": "op", "_gated": "message"}
"""Functions that every request passes through, and which local variable says what it is."""
STAY = "_recorded_stay"


def record_stays(gate: ModuleType) -> None:
    """Watch the gate's ``Visitor`` from now on. Whatever goes wrong here stays here."""
    visitor: Any = gate.Visitor
    enter, share, leave, leave_now = visitor.enter, visitor.share, visitor.leave, visitor._leave_now

    @functools.wraps(enter)
    def recorded_enter(self: Any, how: str) -> None:
        asked = time.monotonic()
        enter(self, how)
        _came_in(self, asked)

    @functools.wraps(share)
    def recorded_share(self: Any) -> None:
        if self.holds != "alone":
            share(self)  # comes in by the way above, or is inside already
            return
        asked = time.monotonic()
        share(self)
        _ended(_stay_of(self), asked)
        _came_in(self, asked)

    @functools.wraps(leave)
    def recorded_leave(self: Any) -> None:
        stay, left = _stay_of(self), time.monotonic()  # who waits comes in as soon as it is unlocked
        leave(self)
        _ended(stay, left)

    @functools.wraps(leave_now)
    def recorded_leave_now(self: Any) -> None:
        stay, left = _stay_of(self), time.monotonic()
        leave_now(self)
        if self.holds is None:  # else somebody stays after all
            _ended(stay, left)

    visitor.enter, visitor.share = recorded_enter, recorded_share
    visitor.leave, visitor._leave_now = recorded_leave, recorded_leave_now


def _stay_of(visitor: Any) -> dict[str, Any] | None:
    return vars(visitor).get(STAY)


def _came_in(visitor: Any, asked: float) -> None:
    entered = time.monotonic()
    _ended(_stay_of(visitor), entered)  # it lingered, and goes on for somebody else
    with suppress(Exception):
        room = os.fstat(visitor._room)
        stay = {
            "open": True,
            "gate": f"{room.st_dev}:{room.st_ino}",
            "way": visitor.holds,
            "asked": asked,
            "entered": entered,
            "caller": _callers(sys._getframe(1)),
        }
        setattr(visitor, STAY, stay)


def _ended(stay: dict[str, Any] | None, left: float) -> None:
    """Once for each stay: the timer of one that lingers and whoever comes next may both be about to say so."""
    with suppress(Exception):
        if stay is None or not stay.pop("open", False):
            return
        pid = os.getpid()
        line = json.dumps(stay | {"left": left, "pid": pid, "role": ROLE}) + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(FOLDER / f"stays-{pid}.jsonl", flags, 0o600)  # anew each time: forks and cells close what was open
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def _callers(frame: FrameType | None) -> str:
    """The innermost function of kernelwright that asked, and the innermost one of another file: that ``request`` was
    called by ``ask`` says nothing."""
    package = str(Path(sys.modules["kernelwright"].__file__ or "").parent) + os.sep
    gate = f"{package}judge{os.sep}gate.py"
    found: dict[str, str] = {}
    while frame is not None and len(found) < CALLERS:
        file = frame.f_code.co_filename
        if file.startswith(package) and file != gate and file not in found:
            found[file] = f"{Path(file).name}:{frame.f_code.co_name}{_request(frame)}"
        frame = frame.f_back
    return " < ".join(found.values())


def _request(frame: FrameType) -> str:
    """What is asked for. Other locals are left alone: Python 3.12 and older would keep the tensors among them."""
    variable = EVERYTHINGS.get(frame.f_code.co_name)
    if variable is None:
        return ""
    said = frame.f_locals.get(variable)
    said = said.get("op") if isinstance(said, dict) else said
    return f"({said})" if isinstance(said, str) else ""
