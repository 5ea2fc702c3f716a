"""Language models: one adapter in front of every provider. Imports no provider's library before a model is asked.

``get("anthropic:claude-…")`` → ``LanguageModel.ask(prompt, key)`` → ``Exchange``: turns at the provider (turns.py), one
request (request.py), what came of it (failures.py), another one where that may help (client.py), its price (prices.py).
"""

from kernelwright.models.journal import Journal, MemoryJournal
from kernelwright.models.model import LanguageModel, asked
from kernelwright.models.names import is_model_name
from kernelwright.models.providers import PROVIDERS
from kernelwright.models.registry import get

__all__ = ["PROVIDERS", "Journal", "LanguageModel", "MemoryJournal", "asked", "get", "is_model_name"]
