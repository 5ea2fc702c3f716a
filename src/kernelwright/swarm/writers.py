"""Authors at work: those that wait for others in threads of their own, the rest in the caller's.

An author that computes (a compiler, the rewriter) would disturb the timing of whatever is judged meanwhile, so it works
while nothing is judged. One that waits for a model disturbs nobody.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kernelwright.authors import Author, AuthorError, Proposal, Task, waits
from kernelwright.schema import Attempt, Exchange

POLL_SECONDS = 0.2
"""How long a stop that was asked for elsewhere may go unnoticed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an author is asked."""

    author: Author
    task: Task
    history: Sequence[Attempt]
    complete: Callable[[Task], Task] = lambda task: task
    """What is still to be added to the task, in the thread that writes: an analyst may be a model to wait for."""

    @property
    def advice_key(self) -> str:
        """Names the call of an analyst that is made for this turn."""
        return f"{self.author.name}/{len(self.history) + 1}/advice"


@dataclass(frozen=True, slots=True)
class Written:
    """What an author came up with."""

    author: Author
    task: Task
    proposal: Proposal | None
    """``None`` where it has nothing more to offer."""
    seconds: float


class Writers:
    """Hands questions to authors and collects what they write, in the order in which it comes."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[Written] = queue.SimpleQueue()

    def ask(self, question: Question) -> None:
        """Begins to write. Only an author that computes is finished when this returns."""
        if waits(question.author):
            name = f"author {question.author.name}"
            threading.Thread(target=self._write, args=(question,), name=name, daemon=True).start()
        else:
            self._done.put(written(question))

    def _write(self, question: Question) -> None:
        """In a thread of its own, where even ``SystemExit`` must not leave the others waiting."""
        try:
            self._done.put(written(question))
        except BaseException as error:
            proposal = Proposal(None, _one_line(f"{type(error).__name__}: {error}"))
            self._done.put(Written(question.author, question.task, proposal, 0.0))

    def next(self, seconds: float, stop: threading.Event) -> Written | None:
        """What was written first of what is there, or comes within ``seconds``; ``None`` otherwise, or on ``stop``."""
        deadline = time.monotonic() + seconds
        while not stop.is_set():
            try:
                return self._done.get(timeout=max(0.0, min(POLL_SECONDS, deadline - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    return None
        return None


def written(question: Question) -> Written:
    """Whatever an author raises is a proposal without a candidate."""
    began, task = time.monotonic(), question.task
    calls: tuple[Exchange, ...] = ()
    try:
        task = question.complete(task)
        calls = _calls_for_advice(question, task)
        answer = question.author.propose(task, question.history)
        proposal = answer if isinstance(answer, Proposal) or answer is None else Proposal(answer)
    except AuthorError as error:
        proposal = Proposal(None, _one_line(str(error)))
    except Exception as error:  # an author is foreign code
        proposal = Proposal(None, _one_line(f"{type(error).__name__}: {error}"))
    if proposal is not None and calls:
        proposal = replace(proposal, exchanges=(*calls, *proposal.exchanges))
    return Written(question.author, task, proposal, time.monotonic() - began)


def _calls_for_advice(question: Question, task: Task) -> tuple[Exchange, ...]:
    """What this turn's advice took. Advice of an earlier turn is paid for: its call stands in that turn's attempt."""
    if task.advice is None or question.advice_key not in task.advice.exchanges:
        return ()
    call = task.journal.find(question.advice_key)
    return () if call is None else (call,)


def _one_line(text: str) -> str:
    return " ".join(text.split())
