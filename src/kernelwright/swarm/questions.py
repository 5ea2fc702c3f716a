"""What an author is asked: the task, the best of the others, and advice about its own best attempt."""

from dataclasses import dataclass, replace
from functools import partial

from kernelwright.analysis import Analyst, Subject
from kernelwright.authors import Author, Task, waits
from kernelwright.authors.standing import best
from kernelwright.schema import Advice, Attempt, BaselineTiming, ContextPiece
from kernelwright.store import Store
from kernelwright.swarm.ledger import Ledger
from kernelwright.swarm.selection import beaten, best_first
from kernelwright.swarm.session import Session
from kernelwright.swarm.writers import Question


@dataclass(frozen=True)
class Questions:
    """Makes the question for one author's next turn."""

    task: Task
    store: Store
    session: Session
    analyst: Analyst | None
    """``None`` where profiles are not among the context."""
    baselines: tuple[BaselineTiming, ...] = ()

    def to(self, author: Author, ledger: Ledger) -> Question:
        """Profiles the author's best attempt where that is new, so the device must be free."""
        history = ledger.history(author)
        peers, lost = self._peers(author, ledger), beaten(self.baselines, ledger.attempts)
        question = Question(author, replace(self.task, peers=peers, beaten=lost), history)
        own_best = best(history)
        if self.analyst is None or own_best is None or own_best.candidate is None or not waits(author):
            return question
        known = self.store.advice(ledger.run.id, own_best.number)
        if known is not None:
            return replace(question, task=replace(question.task, advice=known))
        profile = self.session.profile(own_best.candidate, trusted=author.trusted)
        if profile is None:
            return question
        subject = Subject(own_best, profile, self.task.facts, question.advice_key)
        return replace(question, complete=partial(self._advised, self.analyst, subject, ledger.run.id))

    def _peers(self, author: Author, ledger: Ledger) -> tuple[Attempt, ...]:
        if ContextPiece.PEERS not in self.task.context:
            return ()
        others = (best(ledger.history(other)) for other in ledger.authors if other.name != author.name)
        return best_first(attempt for attempt in others if attempt is not None)

    def _advised(self, analyst: Analyst, subject: Subject, run_id: str, task: Task) -> Task:
        advice: Advice = analyst.advise(subject, task.journal)
        self.store.add_advice(run_id, advice)
        return replace(task, advice=advice)
