"""The compiler for NVIDIA GPUs, for the tests of the Metal room that need it."""

import pytest

from kernelwright.metal.errors import ToolchainMissing
from kernelwright.metal.toolchain import Toolchain, find_for_ptx


@pytest.fixture(scope="session")
def ptx_toolchain() -> Toolchain:
    """The compiler of this machine that makes code for NVIDIA GPUs; skipped where there is none."""
    try:
        return find_for_ptx()
    except ToolchainMissing as error:
        pytest.skip(str(error))
