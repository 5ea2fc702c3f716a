"""Language models: one adapter in front of every provider. Imports no provider's library before a model is asked."""

from kernelwright.models.journal import Journal, MemoryJournal
from kernelwright.models.model import LanguageModel, asked

__all__ = ["Journal", "LanguageModel", "MemoryJournal", "asked"]
