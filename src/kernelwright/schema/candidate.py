"""Candidates: the text of one Python file that defines ``ModelNew``."""

import hashlib
from enum import StrEnum

from kernelwright.schema.base import Record


class Target(StrEnum):
    """The language a kernel is written in, and where it runs."""

    METAL = "metal"
    CUDA = "cuda"
    TRITON = "triton"
    CPP = "cpp"
    TORCH = "torch"


class Candidate(Record):
    """One attempt at a faster module, before anyone has judged it.

    ``source`` defines ``ModelNew`` with the constructor and ``forward`` of the reference ``Model`` (KernelBench's
    contract) and imports only torch, the standard library and the target's own package.
    ``title`` says in a few words what was done; ``explanation`` says why, for the person who reads the result.
    """

    source: str
    author: str
    target: Target = Target.TORCH
    title: str = ""
    explanation: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the source, hex: what an attempt is stored and found under."""
        return hashlib.sha256(self.source.encode()).hexdigest()
