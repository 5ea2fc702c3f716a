"""The toolchain, for every test of the Metal room that compiles."""

import pytest

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import Toolchain, find, find_for_ptx


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The compiler of this machine; tests that compile are skipped where there is none."""
    try:
        return find()
    except ToolchainMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def ptx_toolchain() -> Toolchain:
    """The compiler of this machine that makes code for NVIDIA GPUs; skipped where there is none."""
    try:
        return find_for_ptx()
    except ToolchainMissing as error:
        pytest.skip(str(error))
