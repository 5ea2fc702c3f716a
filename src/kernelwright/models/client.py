"""A model of a provider, asked as often as it takes."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from kernelwright.models import background, prices
from kernelwright.models.limits import Limits
from kernelwright.models.names import ModelName
from kernelwright.models.outcome import RequestOutcome
from kernelwright.models.secrets import hidden
from kernelwright.models.turns import Now, Sleep, Turns
from kernelwright.schema import CallStatus, Exchange, Prompt

_turns: dict[str, Turns] = {}
"""By the provider's address, for the whole process."""


class ProviderModel:
    """One model. ``ask`` may be called from several threads; all calls share their provider's turns."""

    def __init__(
        self,
        name: ModelName,
        limits: Limits | None = None,
        *,
        now: Now = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._limits = limits or Limits()
        self._key = name.provider.key()
        self._now, self._sleep, self._jitter = now, sleep, jitter

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def sees_pictures(self) -> bool:
        return self._name.provider.pictures

    def __repr__(self) -> str:
        return f"ProviderModel({self.name!r})"

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        """One call. What goes wrong at the provider is its ``status``."""
        return background.wait_for(self._ask(prompt, key))

    async def _ask(self, prompt: Prompt, key: str) -> Exchange:
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        turns = self._shared_turns()
        sent, waited, seconds = 0, 0.0, 0.0
        while True:
            async with turns.turn():
                began = self._now()
                outcome = await self._request(prompt)
                seconds += self._now() - began
            sent += 1
            wait = self._limits.wait(sent, outcome.retry_after, self._jitter())
            if not outcome.may_pass or sent >= self._limits.requests or waited + wait > self._limits.waiting:
                return self._exchange(prompt, key, outcome, created, seconds, sent)
            if outcome.status is CallStatus.RATE_LIMITED:
                turns.pause(wait)
            waited += wait
            await self._sleep(wait)

    async def _request(self, prompt: Prompt) -> RequestOutcome:
        from kernelwright.models.request import request

        return await request(self._connected, prompt, self._limits, self._name.provider.answer_tokens)

    @cached_property
    def _connected(self) -> Any:
        from kernelwright.models.request import connected

        return connected(self._name, self._key, self._limits)

    def _shared_turns(self) -> Turns:
        address = self._name.url or self._name.provider.name
        if address not in _turns:  # only ever reached in the one event loop
            _turns[address] = Turns(self._limits.at_once, self._now, self._sleep)
        return _turns[address]

    def _exchange(
        self, prompt: Prompt, key: str, outcome: RequestOutcome, created: str, seconds: float, sent: int
    ) -> Exchange:
        secrets = (self._key,)
        return Exchange(
            key=key,
            model=self.name,
            prompt=prompt,
            status=outcome.status,
            answer=hidden(outcome.answer, secrets),
            detail=hidden(outcome.detail, secrets),
            usage=outcome.usage,
            cost_usd=prices.cost(self._name.provider.name, self._name.model, outcome.usage),
            seconds=seconds,
            requests=sent,
            created=created,
        )
