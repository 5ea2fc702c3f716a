"""What an analyst is: it turns a profile into exactly one recommendation."""

from dataclasses import dataclass
from typing import Protocol

from kernelwright.models import Journal
from kernelwright.schema import Advice, Attempt, DeviceFacts, Profile


@dataclass(frozen=True, slots=True)
class Subject:
    """What an analyst is asked about."""

    attempt: Attempt
    profile: Profile
    facts: DeviceFacts
    key: str
    """Under which its calls of a model are kept: ``AUTHOR/TURN/advice``."""


class Analyst(Protocol):
    @property
    def name(self) -> str:
        """``rules`` or ``PROVIDER:MODEL``."""
        ...

    def advise(self, subject: Subject, journal: Journal) -> Advice:
        """Never raises for what a model or a profile does: ``Advice.failure`` says it."""
        ...
