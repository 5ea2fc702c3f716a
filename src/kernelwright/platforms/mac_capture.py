"""Screenshots of Xcode with a capture of Metal's commands (``.gputrace``). Written against documentation; not yet run
on hardware: the tests put stand-ins for ``osascript`` and ``screencapture`` on the PATH.

The capture itself is PyTorch's ``torch.mps.profiler.metal_capture``, in the candidate's own process, which needs the
environment variable ``MTL_CAPTURE_ENABLED=1`` from its start (Apple, "Capturing a Metal workload programmatically").
``xcode.applescript`` opens it and turns to one view after the other; macOS asks once for the right to control Xcode
(Accessibility) and to record the screen (System Settings, Privacy & Security).
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kernelwright.schema import Picture

ENABLED = "MTL_CAPTURE_ENABLED"
SECONDS = 120.0
VIEWS = {
    "summary": "Summary of the capture in Xcode: time on the GPU, commands, insights.",
    "memory": "Memory view in Xcode: resources by size and use.",
    "timeline": "Timeline in Xcode: encoders on the GPU and counters over time.",
}
"""What is photographed, in this order, with the caption of the picture."""
SCRIPT = Path(__file__).with_name("xcode.applescript")
_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST = 16 << 20


class CaptureError(RuntimeError):
    """No pictures; one line that says why and what helps."""


def screenshots(trace: Path, folder: Path) -> tuple[Picture, ...]:
    """Open ``trace`` in Xcode and photograph its window in each of ``VIEWS``, by way of files in ``folder``.

    Raises ``CaptureError``.
    """
    for program in ("osascript", "screencapture"):
        if shutil.which(program) is None:
            raise CaptureError(f"no screenshots: {program} is missing, which is part of macOS")
    window = _run(["osascript", str(SCRIPT), "open", str(trace)])
    if not window.isdecimal():
        raise CaptureError(f"no screenshots: Xcode told no window: {window or 'nothing'}")
    try:
        return tuple(_photograph(view, window, folder) for view in VIEWS)
    finally:
        _run(["osascript", str(SCRIPT), "close", str(trace)])


def _photograph(view: str, window: str, folder: Path) -> Picture:
    """Turn to one view, then take the window without its shadow and without a sound."""
    _run(["osascript", str(SCRIPT), "show", view])
    path = folder / f"xcode-{view}.png"
    _run(["screencapture", "-x", "-o", "-t", "png", "-l", window, str(path)])
    data = path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else b""
    if not data.startswith(_PNG):
        raise CaptureError(f"no screenshots: screencapture wrote no picture of the {view} (may it record the screen?)")
    return Picture(name=f"xcode-{view}", png=data, caption=VIEWS[view])


def _run(command: Sequence[str]) -> str:
    """The last line that it prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CaptureError(f"no screenshots: {command[0]} did not run: {type(error).__name__}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CaptureError(f"no screenshots: {command[0]}: {said[-1] if said else f'exit status {done.returncode}'}")
    lines = done.stdout.strip().splitlines()
    return lines[-1].strip() if lines else ""
