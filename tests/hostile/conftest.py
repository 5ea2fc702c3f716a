"""What the tests of this folder share: an open court, bait for thieves, and a watch on what is left behind."""

import ctypes
import os
import socket
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hostile_court import Court, Watch

PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(scope="module")
def court(planted: None) -> Iterator[Court]:
    court = Court()
    yield court
    court.adjourn()


@pytest.fixture(scope="module")
def planted() -> Iterator[None]:
    """What the thieves among the samples look for: a key in the environment, a private file, a listening port."""
    os.environ["KERNELWRIGHT_CANARY_API_KEY"] = "canary"
    with (
        tempfile.NamedTemporaryFile(prefix="kernelwright-canary-") as file,
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        file.write(b"canary")
        file.flush()
        if sys.platform == "linux":
            # a path in no file system: only a network namespace hides it
            abstract.bind(f"\0kernelwright-hostile-listener-{os.getpid()}")
            abstract.listen()
        yield
    del os.environ["KERNELWRIGHT_CANARY_API_KEY"]


@pytest.fixture(scope="module")
def watch(planted: None) -> Watch:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return Watch()
