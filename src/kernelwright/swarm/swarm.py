"""The loop of one run: Problem → Author → Candidate → Judge → Verdict → Store."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from kernelwright.analysis import Analyst
from kernelwright.authors import Author, Proposal, Task, waits
from kernelwright.schema import BaselineTiming, ContextPiece, Run, RunSettings, RunState, Verdict
from kernelwright.store import Store
from kernelwright.swarm import supervisor
from kernelwright.swarm.attempts import as_attempt, not_written
from kernelwright.swarm.interrupts import uninterrupted
from kernelwright.swarm.journal import StoreJournal
from kernelwright.swarm.ledger import Ledger
from kernelwright.swarm.observer import Observer, Silent
from kernelwright.swarm.policies import policy_for
from kernelwright.swarm.questions import Questions
from kernelwright.swarm.selection import best_attempt, choose
from kernelwright.swarm.session import Session
from kernelwright.swarm.writers import Writers, Written

Clock = Callable[[], float]


class SwarmInterruptedError(KeyboardInterrupt):
    """Ctrl-C. Every judged attempt is stored; the run named ``run_id`` can be resumed."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"interrupted: kernelwright optimize --resume {run_id} goes on from here")
        self.run_id = run_id


class Swarm:
    """Several authors, one judge, one problem, until nobody has more to offer, nobody can win, or the budget ends.

    Authors that wait for a model write at the same time; judgements never overlap. ``device``: held while something is
    judged or profiled, and while an author computes, for runs that share a device. ``stop``: set by whoever wants the
    run to end as Ctrl-C ends it.
    """

    def __init__(
        self,
        store: Store,
        session: Session,
        authors: Sequence[Author],
        task: Task,
        *,
        observer: Observer | None = None,
        clock: Clock = time.monotonic,
        analyst: Analyst | None = None,
        device: AbstractContextManager[object] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._store = store
        self._session = session
        self._authors = tuple(authors)
        self._task = task
        self._observer = observer or Silent()
        self._clock = clock
        self._analyst = analyst
        self._device = device or nullcontext()
        self._stop = stop or threading.Event()

    def start(self, settings: RunSettings) -> Run:
        """A new run, from its first attempt to its outcome."""
        return self._work(self._store.create_run(settings))

    def resume(self, run_id: str) -> Run:
        """The run goes on from its stored attempts; time, attempts and money already spent count."""
        return self._work(self._store.run(run_id))

    def _work(self, run: Run) -> Run:
        ledger = Ledger(run, self._store.attempts(run.id), self._authors, self._clock)
        journal = StoreJournal(self._store, run.id)
        try:
            self._store.set_state(run.id, RunState.RUNNING, ledger.elapsed())
            self._observer.run_started(run, ledger.attempts)
            with self._on_device():
                baselines = self._session.baselines()
            self._observer.baselines_timed(baselines)
            if (reason := supervisor.why_not_begin(baselines)) is not None:
                for author in ledger.active:
                    self._drop(author, reason, ledger)
            self._let_them_write(ledger, self._questions(run.settings, journal, baselines))
            outcome = choose(ledger.attempts, baselines, self._session.problem_labels)
            self._store.finish_run(run.id, outcome, ledger.elapsed())
        except BaseException as error:
            with uninterrupted():
                self._store.set_state(run.id, RunState.INTERRUPTED, ledger.elapsed())
            if isinstance(error, KeyboardInterrupt):
                raise SwarmInterruptedError(run.id) from None
            raise
        finally:
            journal.close()
        finished = self._store.run(run.id)
        self._observer.run_finished(finished)
        return finished

    def _let_them_write(self, ledger: Ledger, questions: Questions) -> None:
        """Asks and judges until the end. What is still being written then is dropped."""
        writers = Writers()
        for author in ledger.active:
            if supervisor.why_drop(author, ledger) is not None:
                ledger.retire(author)
        while supervisor.why_end(ledger) is None:
            self._ask(ledger, writers, questions)
            if not ledger.writing or ledger.seconds_left() <= 0:
                return
            written = writers.next(ledger.seconds_left(), self._stop)
            if self._stop.is_set():
                raise KeyboardInterrupt
            if written is not None:
                self._take(written, ledger)

    def _ask(self, ledger: Ledger, writers: Writers, questions: Questions) -> None:
        """Hands out as many questions as the policy, the budget and the number of writers allow."""
        settings = ledger.run.settings
        policy = policy_for(settings, len(ledger.attempts))
        while len(ledger.writing) < settings.parallel and ledger.may_ask():
            author = policy.choose(ledger, ledger.active, ledger.idle)
            if author is None or not (waits(author) or all(map(waits, ledger.writing))):
                return  # of those that compute one at a time: what it wrote is judged before the next one begins
            self._observer.attempt_started(ledger.next_number + len(ledger.writing), author.name)
            with self._on_device():
                question = questions.to(author, ledger)
            ledger.asked(author)
            with nullcontext() if waits(author) else self._on_device():
                writers.ask(question)

    def _take(self, written: Written, ledger: Ledger) -> None:
        """Candidate → Judge → Verdict → Store."""
        author, proposal = written.author, written.proposal
        ledger.answered(author)
        if proposal is None:
            self._drop(author, "nothing more to offer", ledger)
            return
        began = self._clock()
        verdict = self._verdict(proposal, author, ledger)
        seconds = written.seconds, self._clock() - began
        attempt = as_attempt(ledger.run, ledger.next_number, author.name, proposal, verdict, written.task, seconds)
        with uninterrupted():
            self._store.add_attempt(attempt, ledger.elapsed())
            ledger.add(attempt)
        self._observer.attempt_finished(attempt, best_attempt(ledger.attempts))
        reason = proposal.failure if proposal.final else supervisor.why_drop(author, ledger)
        if reason is not None:
            self._drop(author, reason, ledger)

    def _verdict(self, proposal: Proposal, author: Author, ledger: Ledger) -> Verdict:
        if proposal.candidate is None:
            return not_written(self._task, proposal.failure)
        known = ledger.known_verdict(proposal.candidate, author)
        if known is not None:
            return known
        with self._on_device():
            return self._session.judge(proposal.candidate, trusted=author.trusted)

    @contextmanager
    def _on_device(self) -> Generator[None]:
        """Whoever stood in line for the device while everything was stopped begins nothing any more."""
        with self._device:
            if self._stop.is_set():
                raise KeyboardInterrupt
            yield

    def _drop(self, author: Author, reason: str, ledger: Ledger) -> None:
        ledger.retire(author)
        self._observer.author_finished(author.name, reason)

    def _questions(
        self, settings: RunSettings, journal: StoreJournal, baselines: Sequence[BaselineTiming]
    ) -> Questions:
        peers = {ContextPiece.PEERS} if policy_for(settings, 0).shows_peers else set[ContextPiece]()
        context = settings.context | peers
        task = replace(
            self._task,
            tries=settings.tries,
            context=context,
            reference=settings.reference if ContextPiece.REFERENCE in context else None,
            docs=settings.docs if ContextPiece.DOCS in context else (),
            eager_error=self._session.eager_error,
            journal=journal,
        )
        analyst = self._analyst if ContextPiece.PROFILE in context else None
        return Questions(task, self._store, self._session, analyst, tuple(baselines))
