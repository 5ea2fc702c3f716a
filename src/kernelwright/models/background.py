"""One event loop for all calls of models, in a thread of its own, so that those who ask may be plain threads."""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_starting = threading.Lock()


def loop() -> asyncio.AbstractEventLoop:
    """Started when first asked for. A daemon: calls that nobody waits for do not keep the process alive."""
    with _starting:  # ``cache`` alone would let two threads that come together start one each
        return _started()


@cache
def _started() -> asyncio.AbstractEventLoop:
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="kernelwright-models", daemon=True).start()
    return made


def wait_for(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What the coroutine returns. Blocks this thread; interrupted (Ctrl-C), it cancels the work."""
    future = asyncio.run_coroutine_threadsafe(work, loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
