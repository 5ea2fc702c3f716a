"""The author over real HTTP: a model of a server on this machine, asked as any other."""

import pytest
from model_author_kit import answer, failed, file, proposed, task

from kernelwright import authors
from kernelwright.models import MemoryJournal
from kernelwright.schema import CallStatus
from loopback_provider import LoopbackProvider, Reply, Request, Way

EDIT = "Adds one.\n\n<<<<<<< SEARCH\n        marker = 1\n=======\n        marker = 2\n>>>>>>> REPLACE\n"
REPLIES = (Reply(answer("1")), Reply(EDIT), Reply("I cannot."), Reply(way=Way.EMPTY), Reply(way=Way.UNAUTHORIZED))


def play(request: Request) -> Reply:
    return REPLIES[request.number]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with LoopbackProvider(play) as running:
        yield running


def test_turns_over_http(provider: LoopbackProvider):
    journal = MemoryJournal()
    author = authors.get(provider.name())
    first = proposed(author.propose(task(journal=journal), ()))
    assert first.candidate is not None, first.failure
    assert (first.candidate.source, first.candidate.author) == (file("1"), provider.name())
    assert first.exchanges[0].status is CallStatus.ANSWERED

    attempt = failed(1).model_copy(update={"author": author.name, "candidate": first.candidate})
    second = proposed(author.propose(task(journal=journal), (attempt,)))
    assert second.candidate is not None and second.candidate.source == file("2")
    messages = provider.requests[1].body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "output: off by one" in provider.requests[1].prompt

    resumed = authors.get(provider.name())
    assert proposed(resumed.propose(task(journal=journal), (attempt,))) == second
    assert len(provider.requests) == 2


def test_answers_that_are_none_over_http(provider: LoopbackProvider):
    author = authors.get(provider.name())
    found = [proposed(author.propose(task(), ())) for _ in REPLIES]
    assert [proposal.candidate is None for proposal in found] == [False, True, True, True, True]
    assert found[1].failure == "the answer changes a candidate, and there is none yet: write the complete file"
    assert found[2].failure == "the answer holds no code"
    assert found[3].failure.startswith("empty: ")
    assert found[4].failure.startswith("unauthorized: ")
    assert [proposal.final for proposal in found] == [False, False, False, False, True]
