"""For all tests: the Metal toolchain, and hypothesis measures no time, since a busy machine is no bug."""

from pathlib import Path

import pytest
from hypothesis import settings

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import Toolchain, find

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


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
