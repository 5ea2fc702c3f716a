"""The author that asks a language model. Imports neither torch nor a provider's library before it proposes."""

from kernelwright.authors.language_model.author import LanguageModelAuthor
from kernelwright.authors.language_model.parse import Parsed, Unparsed, parse

__all__ = ["LanguageModelAuthor", "Parsed", "Unparsed", "parse"]
