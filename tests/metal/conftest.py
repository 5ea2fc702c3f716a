"""The toolchain, for every test of the Metal room that compiles."""

import pytest

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import Toolchain, find


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The compiler of this machine; tests that compile are skipped where there is none."""
    try:
        return find()
    except ToolchainMissing as error:
        pytest.skip(str(error))
