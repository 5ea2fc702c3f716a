"""What a run has spent and learnt so far: rebuilt from its stored attempts, so that resuming is no special case."""

from collections.abc import Callable, Sequence

from kernelwright.authors import Author
from kernelwright.schema import Attempt, Candidate, Run, Verdict


class Ledger:
    """The attempts of one run, its clock, and whose turn it is."""

    def __init__(
        self, run: Run, attempts: tuple[Attempt, ...], authors: Sequence[Author], clock: Callable[[], float]
    ) -> None:
        self.run = run
        self._attempts = list(attempts)
        self._authors = tuple(authors)
        self._retired: set[str] = set()
        self._clock = clock
        self._began = clock() - run.elapsed_seconds

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts)

    @property
    def next_number(self) -> int:
        return max((attempt.number for attempt in self._attempts), default=0) + 1

    def elapsed(self) -> float:
        """Wall time of the run over all its resumptions, seconds."""
        return self._clock() - self._began

    def add(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)

    def history(self, author: Author) -> tuple[Attempt, ...]:
        """This author's own attempts."""
        return tuple(attempt for attempt in self._attempts if attempt.author == author.name)

    def retire(self, author: Author) -> None:
        """The author has nothing more to offer."""
        self._retired.add(author.name)

    def gave_up(self, author: Author) -> bool:
        """The author's last ``tries`` attempts were all fruitless."""
        tries = self.run.settings.tries
        last = self.history(author)[-tries:]
        return len(last) == tries and all(self._fruitless(attempt) for attempt in last)

    def next_author(self) -> Author | None:
        """Whose turn it is: round-robin, going on after the author of the last attempt; ``None`` at the end."""
        if self._budget_spent():
            return None
        names = [author.name for author in self._authors]
        last = self._attempts[-1].author if self._attempts else None
        start = names.index(last) + 1 if last in names else 0
        turns = self._authors[start:] + self._authors[:start]
        return next((a for a in turns if a.name not in self._retired and not self.gave_up(a)), None)

    def known_verdict(self, candidate: Candidate, author: Author) -> Verdict | None:
        """The verdict on the same source, if this run has it already: the same text is not judged twice.

        A verdict on an author nobody vouches for does not count for a trusted one: it may only say that there was no
        isolation to run it in.
        """
        trusted = {a.name for a in self._authors if a.trusted}
        for earlier in self._attempts:
            if (
                earlier.candidate is not None
                and (earlier.candidate.digest, earlier.candidate.target) == (candidate.digest, candidate.target)
                and (earlier.author in trusted or not author.trusted)
            ):
                note = f"same source as attempt {earlier.number}: not judged again"
                return earlier.verdict.model_copy(update={"warnings": (*earlier.verdict.warnings, note)})
        return None

    def _budget_spent(self) -> bool:
        budget = self.run.settings.budget
        if not self._attempts:
            return False  # the first attempt is always made
        if budget.attempts is not None and len(self._attempts) >= budget.attempts:
            return True
        return budget.seconds is not None and self.elapsed() >= budget.seconds

    def _fruitless(self, attempt: Attempt) -> bool:
        """Failed, or repeated. Without the second an author that repeats itself would never end."""
        if not attempt.verdict.ok or attempt.candidate is None:
            return True
        digest = attempt.candidate.digest
        return any(
            earlier.number < attempt.number and earlier.candidate is not None and earlier.candidate.digest == digest
            for earlier in self._attempts
        )
