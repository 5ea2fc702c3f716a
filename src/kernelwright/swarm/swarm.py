"""The loop of one run: Problem → Author → Candidate → Judge → Verdict → Store."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from kernelwright.authors import Author, AuthorError, Task
from kernelwright.schema import Attempt, Candidate, Run, RunSettings, RunState, Status, Verdict
from kernelwright.store import Store
from kernelwright.swarm.interrupts import uninterrupted
from kernelwright.swarm.ledger import Ledger
from kernelwright.swarm.observer import Observer, Silent
from kernelwright.swarm.selection import best_attempt, choose
from kernelwright.swarm.session import Session

Clock = Callable[[], float]


class SwarmInterruptedError(KeyboardInterrupt):
    """Ctrl-C. Every judged attempt is stored; the run named ``run_id`` can be resumed."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"interrupted: kernelwright optimize --resume {run_id} goes on from here")
        self.run_id = run_id


class Swarm:
    """Policy ``independent``: every author by itself, in turns, until nobody has more to offer or the budget ends.

    An author drops out when it proposes ``None``, or after ``settings.tries`` fruitless attempts in a row (failed, or
    a repetition of what was judged before). The budget is looked at between attempts, and the first attempt of a run
    is always made, however long the baselines took.
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
    ) -> None:
        self._store = store
        self._session = session
        self._authors = tuple(authors)
        self._task = task
        self._observer = observer or Silent()
        self._clock = clock

    def start(self, settings: RunSettings) -> Run:
        """A new run, from its first attempt to its outcome."""
        return self._work(self._store.create_run(settings))

    def resume(self, run_id: str) -> Run:
        """The run goes on from its stored attempts; time and attempts already spent count."""
        return self._work(self._store.run(run_id))

    def _work(self, run: Run) -> Run:
        ledger = Ledger(run, self._store.attempts(run.id), self._authors, self._clock)
        try:
            self._store.set_state(run.id, RunState.RUNNING, ledger.elapsed())
            self._observer.run_started(run, ledger.attempts)
            self._observer.baselines_timed(self._session.baselines())
            while (author := ledger.next_author()) is not None:
                self._observer.attempt_started(ledger.next_number, author.name)
                attempt = self._attempt(author, ledger)
                if attempt is None:
                    ledger.retire(author)
                    self._observer.author_finished(author.name, "nothing more to offer")
                    continue
                with uninterrupted():
                    self._store.add_attempt(attempt, ledger.elapsed())
                    ledger.add(attempt)
                self._observer.attempt_finished(attempt, best_attempt(ledger.attempts))
                if ledger.gave_up(author):
                    self._observer.author_finished(author.name, f"gave up after {run.settings.tries} failures in a row")
            outcome = choose(ledger.attempts, self._session.baselines(), self._session.problem_labels)
            self._store.finish_run(run.id, outcome, ledger.elapsed())
        except BaseException as error:
            with uninterrupted():
                self._store.set_state(run.id, RunState.INTERRUPTED, ledger.elapsed())
            if isinstance(error, KeyboardInterrupt):
                raise SwarmInterruptedError(run.id) from None
            raise
        finished = self._store.run(run.id)
        self._observer.run_finished(finished)
        return finished

    def _attempt(self, author: Author, ledger: Ledger) -> Attempt | None:
        """Author → Candidate → Judge → Verdict; ``None`` when the author has nothing more to offer."""
        began = self._clock()
        candidate, failure = self._propose(author, ledger)
        written = self._clock()
        if failure is not None:
            verdict = failure
        elif candidate is not None:
            verdict = ledger.known_verdict(candidate, author) or self._session.judge(candidate, trusted=author.trusted)
        else:
            return None
        return Attempt(
            run=ledger.run.id,
            number=ledger.next_number,
            author=author.name,
            candidate=candidate,
            verdict=verdict,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            write_seconds=written - began,
            judge_seconds=self._clock() - written,
        )

    def _propose(self, author: Author, ledger: Ledger) -> tuple[Candidate | None, Verdict | None]:
        try:
            return author.propose(self._task, ledger.history(author)), None
        except Exception as error:  # an author is foreign code: whatever it raises is an attempt that failed
            return None, self._not_written(error)

    def _not_written(self, error: Exception) -> Verdict:
        said = " ".join(str(error).split())
        return Verdict(
            status=Status.GENERATION_FAILED,
            rule="generation",
            precision=self._task.precision,
            platform=self._task.platform,
            device=self._task.facts.name,
            problem=self._task.problem.name,
            feedback=said if isinstance(error, AuthorError) else f"{type(error).__name__}: {said}",
        )
