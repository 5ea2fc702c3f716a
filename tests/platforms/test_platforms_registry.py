"""Which platforms there are, and how another package adds one."""

import re
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from kernelwright import platforms
from kernelwright.platforms import Platform, registry
from kernelwright.platforms.cpu import CpuPlatform


class Toaster(CpuPlatform):
    name = "toaster"


def make_toaster() -> Toaster:
    return Toaster()


def broken() -> Platform:
    raise OSError("no bread")


@pytest.fixture
def joined(monkeypatch):
    entries = [
        EntryPoint(name, f"{__name__}:{value}", registry.GROUP)
        for name, value in (("toaster", "make_toaster"), ("broken", "broken"), ("cpu", "make_toaster"))
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.GROUP else [])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@pytest.mark.parametrize("name", ["cpu", "cuda", "mps"])
def test_built_in_platforms_keep_the_contract(name):
    platform = platforms.get(name)
    assert isinstance(platform, Platform)
    assert platform.name == platform.device == name
    assert name in platforms.names()
    assert (platform.why_not() is None) == platform.available()
    assert platforms.get(name) is not platform


def test_why_not_is_one_line_and_facts_refuse():
    for name in ("cuda", "mps"):
        platform = platforms.get(name)
        if not platform.available():
            reason = platform.why_not()
            assert reason and "\n" not in reason
            with pytest.raises(RuntimeError, match=re.escape(reason)):
                platform.facts()


def test_the_best_is_available_and_the_default():
    best = platforms.best()
    assert best.available()
    assert platforms.get(None).name == platforms.get().name == best.name


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(LookupError, match=r"no platform 'abacus': there are cuda, mps, cpu"):
        platforms.get("abacus")


def test_another_package_adds_a_platform_but_cannot_replace_one(joined):
    assert platforms.names() == ("cuda", "mps", "cpu", "broken", "toaster")
    assert platforms.get("toaster").name == "toaster"
    assert platforms.get("cpu").name == "cpu"
    assert platforms.best().name != "toaster"
    with pytest.raises(LookupError, match=r"'broken'.*OSError: no bread"):
        platforms.get("broken")


def test_importing_and_making_platforms_costs_no_torch():
    code = "import sys; from kernelwright import platforms; platforms.get('cpu'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
