"""What a run has spent and learnt so far: rebuilt from its stored attempts, so that resuming is no special case."""

from collections.abc import Callable, Sequence

from kernelwright.authors import Author
from kernelwright.schema import Attempt, Candidate, Run, Verdict


class Ledger:
    """The attempts of one run, its clock, who writes just now and who has dropped out."""

    def __init__(
        self, run: Run, attempts: tuple[Attempt, ...], authors: Sequence[Author], clock: Callable[[], float]
    ) -> None:
        self.run = run
        self.authors = tuple(authors)
        self._attempts = list(attempts)
        self._retired: set[str] = set()
        self._writing: dict[str, Author] = {}
        self._clock = clock
        self._began = clock() - run.elapsed_seconds
        self.last_asked = attempts[-1].author if attempts else None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts)

    @property
    def next_number(self) -> int:
        return max((attempt.number for attempt in self._attempts), default=0) + 1

    @property
    def writing(self) -> tuple[Author, ...]:
        """Those that have been asked and have not answered."""
        return tuple(self._writing.values())

    @property
    def active(self) -> tuple[Author, ...]:
        """Those that have not dropped out."""
        return tuple(author for author in self.authors if author.name not in self._retired)

    @property
    def idle(self) -> tuple[Author, ...]:
        """The active ones that can be asked."""
        return tuple(author for author in self.active if author.name not in self._writing)

    def elapsed(self) -> float:
        """Wall time of the run over all its resumptions, seconds."""
        return self._clock() - self._began

    def history(self, author: Author) -> tuple[Attempt, ...]:
        """This author's own attempts."""
        return tuple(attempt for attempt in self._attempts if attempt.author == author.name)

    def asked(self, author: Author) -> None:
        self._writing[author.name] = author
        self.last_asked = author.name

    def answered(self, author: Author) -> None:
        self._writing.pop(author.name, None)

    def add(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)

    def retire(self, author: Author) -> None:
        """The author is not asked again."""
        self._retired.add(author.name)

    def may_ask(self) -> bool:
        """Whether the budget allows another attempt beside those that are being written. The first is always made."""
        under_way = len(self._writing)
        if not self._attempts and not under_way:
            return True
        budget = self.run.settings.budget
        if budget.attempts is not None and len(self._attempts) + under_way >= budget.attempts:
            return False
        if budget.dollars is not None and self.dollars + under_way * self._dollars_an_attempt() >= budget.dollars:
            return False
        return self.seconds_left() > 0

    def seconds_left(self) -> float:
        """Of the time budget; infinite where there is none, or no attempt yet."""
        seconds = self.run.settings.budget.seconds
        return float("inf") if seconds is None or not self._attempts else seconds - self.elapsed()

    @property
    def dollars(self) -> float:
        """Known cost of all attempts."""
        return sum(attempt.cost_usd or 0.0 for attempt in self._attempts)

    def known_verdict(self, candidate: Candidate, author: Author) -> Verdict | None:
        """The verdict on the same source, if this run has it already: the same text is not judged twice.

        A verdict on an author nobody vouches for does not count for a trusted one: it may only say that there was no
        isolation to run it in.
        """
        trusted = {a.name for a in self.authors if a.trusted}
        for earlier in self._attempts:
            if (
                earlier.candidate is not None
                and (earlier.candidate.digest, earlier.candidate.target) == (candidate.digest, candidate.target)
                and (earlier.author in trusted or not author.trusted)
            ):
                note = f"same source as attempt {earlier.number}: not judged again"
                return earlier.verdict.model_copy(update={"warnings": (*earlier.verdict.warnings, note)})
        return None

    def _dollars_an_attempt(self) -> float:
        paid = [attempt.cost_usd for attempt in self._attempts if attempt.cost_usd]
        return sum(paid) / len(paid) if paid else 0.0
