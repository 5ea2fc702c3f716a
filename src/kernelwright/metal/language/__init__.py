"""Metal Shading Language into C++, token by token: see ``translate``."""

from kernelwright.metal.language.program import translate
from kernelwright.metal.language.tokens import Kind, Place, SourceError, Token, meaningful, text_of, tokenize

__all__ = ["Kind", "Place", "SourceError", "Token", "meaningful", "text_of", "tokenize", "translate"]
