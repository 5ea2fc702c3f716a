"""What a language model is to the rest: asked with a prompt, it answers with an Exchange, whatever happens."""

from typing import Protocol

from kernelwright.models.journal import Journal
from kernelwright.schema import Exchange, Prompt


class LanguageModel(Protocol):
    """One model of one provider."""

    @property
    def name(self) -> str:
        """``PROVIDER:MODEL``."""
        ...

    @property
    def sees_pictures(self) -> bool: ...

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        """One call, retried as its provider asks for. Blocks; may be called from several threads.

        What a provider does wrong is the Exchange's ``status``, never an exception.
        """
        ...


def asked(model: LanguageModel, prompt: Prompt, key: str, journal: Journal) -> Exchange:
    """The stored call of that key, or a new one, stored before it is returned.

    The key alone decides: after a crash the prompt may read a little differently, and the answer is paid for.
    """
    known = journal.find(key)
    if known is not None:
        return known
    exchange = model.ask(prompt, key)
    journal.keep(exchange)
    return exchange
