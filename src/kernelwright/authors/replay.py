"""``replay:RUN/AUTHOR``: what an Author of a stored Run wrote, once more, with no model asked and nothing paid.

A language model's stored answers go through the same code that read them the first time; of other Authors the stored
Candidates are proposed in their order. So a Run can be judged again, on another machine or by a newer judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kernelwright.authors.author import Author, Proposal, Task
from kernelwright.schema import Attempt, CallStatus, Exchange, Prompt, Target
from kernelwright.store import NotStoredError, Store

AGENT_PREFIX = "agent:"
PREFIX = "replay:"


def expanded(name: str) -> tuple[str, ...]:
    """``replay:RUN`` as the names of those of its Authors that wrote something, ``replay:RUN/AUTHOR``; any other name
    as it is.

    Raises ``LookupError`` with one line for a Run that is not stored, or in which nobody wrote anything.
    """
    if not name.startswith(PREFIX) or "/" in name:
        return (name,)
    run_id = name.removeprefix(PREFIX)
    with Store.open() as store:
        authors = store.run(run_id).settings.authors
        wrote = {attempt.author for attempt in store.attempts(run_id)}
        wrote |= {_author_of(exchange) for exchange in store.exchanges(run_id)}
    found = tuple(f"{PREFIX}{run_id}/{author}" for author in authors if _signed(author) in wrote)
    if not found:
        raise NotStoredError(f"nothing to replay in run {run_id}: no author wrote anything")
    return found


def replayed(name: str) -> Author:
    """The Author named ``replay:RUN/AUTHOR``. Raises ``LookupError`` with one line where nothing of it is stored."""
    run_id, _, author = name.removeprefix(PREFIX).partition("/")
    author = _signed(author)
    with Store.open() as store:
        store.run(run_id)
        exchanges = tuple(e for e in store.exchanges(run_id) if _author_of(e) == author)
        attempts = tuple(attempt for attempt in store.attempts(run_id) if attempt.author == author)
    if exchanges:
        from kernelwright.authors.language_model import LanguageModelAuthor

        return LanguageModelAuthor(StoredModel(name, author, exchanges))
    if not attempts:
        raise NotStoredError(f"run {run_id} has no attempt of {author!r}: `kernelwright show {run_id}` lists them")
    return ReplayAuthor(name, attempts)


def _signed(author: str) -> str:
    """As it signs its Attempts: an agent without its folder."""
    return author.partition("@")[0] if author.startswith(AGENT_PREFIX) else author


def _author_of(exchange: Exchange) -> str:
    """Keys are ``AUTHOR/TURN/TRY``, and names of models have slashes of their own."""
    return exchange.key.rsplit("/", 2)[0]


@dataclass(frozen=True)
class StoredModel:
    """A model that answers from a Run's stored calls; the call of a key is the same whatever is asked today."""

    name: str
    author: str
    """Whose calls they are: their keys begin with it."""
    exchanges: tuple[Exchange, ...]
    sees_pictures: bool = True

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        """The stored call under ``key``, which costs nothing now. One that is not there ends the replay."""
        stored = self._by_key.get(self.author + key.removeprefix(self.name))
        if stored is None:
            said = "the replayed run has no further call"
            return Exchange(key=key, model=self.name, prompt=prompt, status=CallStatus.INVALID_REQUEST, detail=said)
        return stored.model_copy(update={"key": key, "cost_usd": 0.0, "seconds": 0.0, "requests": 0})

    @cached_property
    def _by_key(self) -> dict[str, Exchange]:
        return {exchange.key: exchange for exchange in self.exchanges}


@dataclass(frozen=True)
class ReplayAuthor:
    """Proposes stored Candidates in their order; an Attempt that had none fails as it did."""

    name: str
    attempts: tuple[Attempt, ...]
    trusted: bool = False
    targets: frozenset[Target] = frozenset(Target)

    def propose(self, task: Task, history: Sequence[Attempt]) -> Proposal | None:
        """The next one; ``None`` after the last."""
        if len(history) >= len(self.attempts):
            return None
        stored = self.attempts[len(history)]
        if stored.candidate is None:
            return Proposal(None, stored.verdict.feedback)
        return Proposal(stored.candidate.model_copy(update={"author": self.name}))
