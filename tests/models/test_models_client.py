"""Models over real HTTP: every provider's protocol, every way to fail, and what is never done."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import count

import pytest

from kernelwright import models
from kernelwright.models import background
from kernelwright.models.client import ProviderModel
from kernelwright.models.limits import Limits
from kernelwright.models.names import parse
from kernelwright.schema import CallStatus, Exchange, Message, Picture, Prompt
from loopback_provider import LoopbackProvider, Reply, Request, Script, Way

SECRET = "sk-very-secret-1234"
PROMPT = Prompt(system="Be brief.", messages=(Message(role="user", text="A kernel, please."),))
WIRES = {"openai": "gpt-4o", "anthropic": "claude-sonnet-5", "google": "gemini-2.5-pro"}
EXPECTED = {
    Way.ANSWER: (CallStatus.ANSWERED, 1),
    Way.RATE_LIMIT: (CallStatus.RATE_LIMITED, 3),
    Way.QUOTA: (CallStatus.OUT_OF_CREDIT, 1),
    Way.SERVER_ERROR: (CallStatus.UNAVAILABLE, 3),
    Way.UNAVAILABLE: (CallStatus.UNAVAILABLE, 3),
    Way.RESET: (CallStatus.UNAVAILABLE, 3),
    Way.CUT: (CallStatus.CUT_OFF, 1),
    Way.UNFINISHED: (CallStatus.CUT_OFF, 1),
    Way.EMPTY: (CallStatus.EMPTY, 1),
    Way.NO_CHOICES: (CallStatus.MALFORMED, 1),
    Way.ERROR_UNDER_200: (CallStatus.UNAVAILABLE, 3),
    Way.NOT_JSON: (CallStatus.MALFORMED, 1),
    Way.REFUSAL: (CallStatus.REFUSED, 1),
    Way.OVERFLOW: (CallStatus.CONTEXT_OVERFLOW, 1),
    Way.HANG: (CallStatus.TIMED_OUT, 3),
    Way.UNAUTHORIZED: (CallStatus.UNAUTHORIZED, 1),
    Way.UNKNOWN_MODEL: (CallStatus.INVALID_REQUEST, 1),
    Way.TOO_LONG: (CallStatus.CUT_OFF, 1),
}
"""How a call ends, and how many requests it takes where three are allowed."""


class Naps:
    """Time that passes when somebody sleeps, and at no other moment."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def now(self) -> float:
        return sum(self.taken)

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, naps: Naps) -> Callable[..., ProviderModel]:
    def connect(provider: LoopbackProvider, wire: str = "openai", **limits: float) -> ProviderModel:
        monkeypatch.setenv(f"{wire.upper()}_API_KEY", SECRET)
        monkeypatch.setenv(f"{wire.upper()}_BASE_URL", provider.url + ("/v1" if wire == "openai" else ""))
        chosen = Limits(**({"call": 60.0, "requests": 3} | limits))  # type: ignore[arg-type]
        return ProviderModel(parse(f"{wire}:{WIRES[wire]}"), chosen, now=naps.now, sleep=naps.sleep, jitter=lambda: 1.0)

    return connect


def always(way: Way, text: str = "hello world", **more: str) -> Script:
    return lambda request: Reply(text, way, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("wire", WIRES)
def test_every_ending_has_its_status(wire: str, way: Way, asked: Callable[..., ProviderModel]) -> None:
    with LoopbackProvider(always(way, detail=f"no, {SECRET}")) as provider:
        limits = {"call": 0.3} if way is Way.HANG else {}  # any other ending has time, on a slow machine too
        exchange: Exchange = asked(provider, wire, **limits).ask(PROMPT, "author/1/1")
    status, requests = EXPECTED[way]
    assert (exchange.status, exchange.requests, len(provider.requests)) == (status, requests, requests)
    assert (exchange.key, exchange.model, exchange.prompt) == ("author/1/1", f"{wire}:{WIRES[wire]}", PROMPT)
    assert SECRET not in exchange.model_dump_json()
    assert bool(exchange.detail) == (status is not CallStatus.ANSWERED)
    assert "\n" not in exchange.detail
    if way in (Way.ANSWER, Way.TOO_LONG):
        assert exchange.answer == "hello world"
    if way in (Way.CUT, Way.UNFINISHED):
        assert exchange.answer == "hello"
    if way in (Way.RATE_LIMIT, Way.QUOTA, Way.SERVER_ERROR, Way.ERROR_UNDER_200, Way.UNAUTHORIZED):
        assert "no, [key]" in exchange.detail


@pytest.mark.parametrize("wire", WIRES)
def test_what_a_model_is_shown_and_what_it_costs(wire: str, asked: Callable[..., ProviderModel]) -> None:
    picture = Picture(name="timeline", png=b"\x89PNG\r\n\x1a\n0000", caption="A timeline.")
    talk = (
        Message(role="user", text="First."),
        Message(role="assistant", text="Second."),
        Message(role="user", text="Third.", pictures=(picture,)),
    )
    with LoopbackProvider(always(Way.ANSWER)) as provider:
        exchange = asked(provider, wire).ask(Prompt(system="Rules.", messages=talk), "k")
    (request,) = provider.requests
    assert request.prompt.split("\n") == ["Rules.", "First.", "Second.", "Third.", "A timeline."]
    assert request.pictures == 1
    assert SECRET in f"{request.headers}"
    usage = exchange.usage
    assert (usage.input_tokens, usage.output_tokens) == (len(request.prompt) // 4 + 1, 3)
    assert exchange.cost_usd is not None
    assert 0 < exchange.cost_usd < 0.01


def test_a_model_without_a_price_costs_an_unknown_sum() -> None:
    with LoopbackProvider(always(Way.ANSWER)) as provider:
        exchange = models.get(provider.name("tiny")).ask(PROMPT, "k")
    assert (exchange.status, exchange.cost_usd) == (CallStatus.ANSWERED, None)
    assert exchange.model == provider.name("tiny")


def test_the_call_goes_on_after_failures_that_pass(asked: Callable[..., ProviderModel], naps: Naps) -> None:
    ways = iter([Way.SERVER_ERROR, Way.RESET, Way.ANSWER])
    with LoopbackProvider(lambda request: Reply("fine", next(ways))) as provider:
        exchange = asked(provider).ask(PROMPT, "k")
    assert (exchange.status, exchange.answer, exchange.requests) == (CallStatus.ANSWERED, "fine", 3)
    assert naps.taken == [1.0, 2.0]


def test_retry_after_is_kept_and_holds_for_everybody(asked: Callable[..., ProviderModel], naps: Naps) -> None:
    ways = iter([Way.RATE_LIMIT, Way.ANSWER])
    with LoopbackProvider(lambda request: Reply("fine", next(ways), retry_after="40")) as provider:
        exchange = asked(provider).ask(PROMPT, "k")
    assert exchange.status is CallStatus.ANSWERED
    assert sum(naps.taken) >= 40


def test_waiting_has_an_end(asked: Callable[..., ProviderModel], naps: Naps) -> None:
    with LoopbackProvider(always(Way.RATE_LIMIT, retry_after="4000")) as provider:
        exchange = asked(provider, waiting=900.0).ask(PROMPT, "k")
    assert (exchange.status, exchange.requests, naps.taken) == (CallStatus.RATE_LIMITED, 1, [])


def test_a_provider_gets_so_many_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_MODEL_REQUESTS_AT_ONCE", "3")
    with LoopbackProvider(lambda request: Reply("fine", seconds=0.05)) as provider:
        model = models.get(provider.name())
        threads = [threading.Thread(target=model.ask, args=(PROMPT, f"{n}")) for n in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(provider.requests), provider.most_at_once) == (9, 3)


def test_threads_that_come_together_share_one_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = asyncio.new_event_loop, list[asyncio.AbstractEventLoop]()

    def slowly() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)
        made.append(make())
        return made[-1]

    background._started.cache_clear()
    monkeypatch.setattr(asyncio, "new_event_loop", slowly)
    threads = [threading.Thread(target=background.loop) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_stored_call_is_not_made_again() -> None:
    numbers = count()
    journal = models.MemoryJournal()
    with LoopbackProvider(lambda request: Reply(f"answer {next(numbers)}")) as provider:
        model = models.get(provider.name())
        first = models.asked(model, PROMPT, "author/1/1", journal)
        again = models.asked(model, Prompt(system="other", messages=PROMPT.messages), "author/1/1", journal)
        other = models.asked(model, PROMPT, "author/2/1", journal)
    assert first == again
    assert (first.answer, other.answer) == ("answer 0", "answer 1")


def test_an_interrupted_call_stops_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(request: Request) -> Reply:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        return Reply(way=Way.HANG)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with LoopbackProvider(interrupted) as provider:
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                models.get(provider.name()).ask(PROMPT, "k")
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 60  # and not the 900 s that a model may take
