"""For all tests: their order, the Metal toolchain, and hypothesis measures no time, since a busy machine is no bug."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import Toolchain, find

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is loaded, and for every process that a test starts: beside other test processes a pool of threads
    # waits longer for a core than it computes. Tests that want threads take the variable away again.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: beside other test processes, whoever begins one last keeps the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def device_limits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of limits, for tests that give processes a home of their own: the device is measured once for all."""
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The compiler of this machine; tests that compile Metal are skipped where there is none."""
    try:
        return find()
    except ToolchainMissing as error:
        pytest.skip(str(error))
