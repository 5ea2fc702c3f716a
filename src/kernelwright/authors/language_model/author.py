"""The author that asks a language model: a functional pass until something is correct, then one change at a time."""

from collections.abc import Sequence
from pathlib import Path

from kernelwright.authors import standing
from kernelwright.authors.author import Proposal, Task
from kernelwright.authors.file import detect_target
from kernelwright.authors.language_model import blocks
from kernelwright.authors.language_model.conversation import next_conversation
from kernelwright.authors.language_model.parse import Unparsed, parse
from kernelwright.authors.language_model.prose import title_and_explanation
from kernelwright.authors.language_model.templates import Templates
from kernelwright.models import LanguageModel, asked
from kernelwright.schema import Attempt, CallStatus, Candidate, Exchange, Target

FINAL = frozenset({CallStatus.UNAUTHORIZED, CallStatus.OUT_OF_CREDIT, CallStatus.INVALID_REQUEST})
"""How calls end that would end the same way the next time."""

_WHERE_NOBODY_SAYS = {"cuda": Target.TRITON, "mps": Target.METAL}
"""The language of the kernels where the Task leaves it to the author; C++ on a CPU."""


class LanguageModelAuthor:
    """Asks one model. What it asks follows from the Task and its own Attempts alone.

    *Functional pass*: until one of its Attempts works, each failure is handed back with the candidate it belongs to.
    *Optimisation pass*: each turn sets out from its best Attempt, says what the last change did, and asks for
    one change.
    A turn is one call of the model; an answer that holds no code is an Attempt that failed.
    """

    trusted = False
    targets = frozenset(Target)
    waits = True

    def __init__(self, model: LanguageModel, prompts: Path | None = None) -> None:
        """``prompts``: a folder of the user's own templates, by default ``$KERNELWRIGHT_HOME/prompts``."""
        self.name = model.name
        self._model = model
        self._prompts = prompts

    def propose(self, task: Task, history: Sequence[Attempt]) -> Proposal | None:
        """The next Candidate; ``None`` after ``task.tries`` Attempts of which none works, and after the first one that
        works where Attempts cannot be compared (Triton without a GPU).

        The call is kept in ``task.journal`` under ``NAME/TURN/1``, ``TURN`` being one more than there are Attempts, so
        that a resumed run does not pay for it again. Raises ``AuthorError`` where a user's template does not work.
        """
        base = standing.best(history, task.advice)
        if base is None and len(history) >= task.tries:
            return None
        if base is not None and standing.gain(base, base) is None:
            return None  # neither timed nor counted: nothing would tell whether a change gained
        target = task.target or _WHERE_NOBODY_SAYS.get(task.platform, Target.CPP)
        if target is Target.CUDA and task.platform != "cuda":
            return Proposal(
                None, f"target cuda runs on platform cuda only, and this run is on {task.platform}", final=True
            )
        conversation = next_conversation(task, target, history, base, Templates(target, self._prompts))
        exchange = asked(self._model, conversation.prompt, f"{self.name}/{len(history) + 1}/1", task.journal)
        candidate, failure = self._read(exchange, task, target, conversation.shown)
        return Proposal(
            candidate=candidate,
            failure=failure,
            exchanges=(exchange,),
            context=conversation.context,
            base=base.number if base is not None else None,
            final=exchange.status in FINAL,
        )

    def _read(
        self, exchange: Exchange, task: Task, target: Target, shown: Attempt | None
    ) -> tuple[Candidate | None, str]:
        """The Candidate in an answer, or one line that says why there is none."""
        if not exchange.ok:
            return None, f"{exchange.status.value}: {' '.join(exchange.detail.split()) or 'no more is known'}"
        last = shown.candidate.source if shown is not None and shown.candidate is not None else None
        found = parse(exchange.answer, last)
        if isinstance(found, Unparsed):
            return None, found.reason
        title, explanation = title_and_explanation(found.prose, found.source)
        return Candidate(
            source=found.source,
            author=self.name,
            target=task.target or _target_of(found.source, target),
            title=title,
            explanation=explanation,
        ), ""


def _target_of(source: str, asked_for: Target) -> Target:
    """Where nobody named a language, the one that it is written in."""
    tree = blocks.parsed(source)
    return asked_for if tree is None else detect_target(tree)
