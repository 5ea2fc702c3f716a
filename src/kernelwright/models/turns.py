"""Turns at a provider: so many requests at once, and none while it asks for a pause."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

Sleep = Callable[[float], Awaitable[object]]
Now = Callable[[], float]


class Turns:
    """One provider's turns; used in one event loop only."""

    def __init__(self, at_once: int, now: Now, sleep: Sleep) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._now, self._sleep = now, sleep
        self._closed_until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Waits for a free place and for the end of a pause."""
        async with self._free:
            while (rest := self._closed_until - self._now()) > 0:
                await self._sleep(rest)
            yield

    def pause(self, seconds: float) -> None:
        """Nobody begins for so long: a rate limit holds for all."""
        self._closed_until = max(self._closed_until, self._now() + seconds)
