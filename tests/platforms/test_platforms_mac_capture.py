"""Screenshots of Xcode, with stand-ins for osascript and screencapture on the PATH and pictures that the test draws."""

import stat
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from kernelwright.platforms import mac_capture
from kernelwright.platforms.mac_capture import CaptureError, screenshots

OSASCRIPT = """\
#!{python}
import sys
open({log!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
assert open(sys.argv[1]).read().startswith("-- Opens a Metal capture")
verb = sys.argv[2]
{trouble}
print("window\\n4711" if verb == "open" else verb)
"""
SCREENCAPTURE = """\
#!{python}
import shutil, sys
assert sys.argv[1:7] == ["-x", "-o", "-t", "png", "-l", "4711"]
view = sys.argv[7].rsplit("-", 1)[1]
shutil.copy({recorded!r} + "/" + view, sys.argv[7])
"""


def draw(path: Path, text: str) -> None:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.text(0.5, 0.5, text)
    figure.savefig(path)


class Mac:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder, self.log = folder, folder / "log"
        self.recorded = folder / "recorded"
        self.recorded.mkdir()
        for view in mac_capture.VIEWS:
            draw(self.recorded / f"{view}.png", view)
        self.program("screencapture", SCREENCAPTURE.format(python=sys.executable, recorded=str(self.recorded)))
        self.trouble("")
        monkeypatch.setenv("PATH", str(folder))

    def trouble(self, code: str) -> None:
        self.program("osascript", OSASCRIPT.format(python=sys.executable, log=str(self.log), trouble=code))

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def verbs(self) -> list[str]:
        return [" ".join(line.split()[1:]) for line in self.log.read_text().splitlines()]


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    return Mac(tmp_path, monkeypatch)


def test_every_view_is_photographed_and_the_trace_closed(mac: Mac) -> None:
    taken = screenshots(mac.folder / "x.gputrace", mac.folder)
    assert [picture.name for picture in taken] == ["xcode-summary", "xcode-memory", "xcode-timeline"]
    for picture, view in zip(taken, mac_capture.VIEWS, strict=True):
        assert picture.png == (mac.recorded / f"{view}.png").read_bytes() and picture.caption
    trace = str(mac.folder / "x.gputrace")
    assert mac.verbs() == [f"open {trace}", "show summary", "show memory", "show timeline", f"close {trace}"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("sys.exit('execution error: Not authorized to send Apple events to Xcode. (-1743)')", "Not authorized"),
        ("if verb == 'open': print('no'); sys.exit(0)", "told no window: no"),
        ("if verb == 'show': sys.exit('the debug navigator has no row Memory')", "no row Memory"),
    ],
)
def test_what_xcode_refuses_is_one_line(mac: Mac, code: str, told: str) -> None:
    mac.trouble(code)
    with pytest.raises(CaptureError, match="no screenshots") as found:
        screenshots(mac.folder / "x.gputrace", mac.folder)
    assert told in str(found.value) and "\n" not in str(found.value)


def test_a_trace_is_closed_when_a_picture_fails(mac: Mac) -> None:
    (mac.recorded / "memory.png").write_bytes(b"no picture")
    with pytest.raises(CaptureError, match="memory"):
        screenshots(mac.folder / "x.gputrace", mac.folder)
    assert mac.verbs()[-1].startswith("close ")


def test_where_there_is_no_macos_the_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaptureError, match="osascript is missing"):
        screenshots(tmp_path / "x.gputrace", tmp_path)


def test_the_script_knows_every_view_and_verb() -> None:
    text = mac_capture.SCRIPT.read_text()
    assert all(f'is "{word}"' in text for word in (*mac_capture.VIEWS, "open", "show", "close"))
