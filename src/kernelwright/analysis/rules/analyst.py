"""The analyst ``rules``."""

from kernelwright.analysis.analyst import Subject
from kernelwright.analysis.rules.order import recommend
from kernelwright.analysis.rules.reading import Reading
from kernelwright.models import Journal
from kernelwright.schema import Advice


class RulesAnalyst:
    """Reads a profile by rules. Asks no model, so its advice takes no exchange."""

    name = "rules"

    def advise(self, subject: Subject, journal: Journal) -> Advice:
        del journal
        reading = Reading(subject.profile, subject.attempt.verdict, subject.facts)
        return Advice(
            about=subject.attempt.number,
            analyst=self.name,
            profile=subject.profile,
            recommendation=recommend(reading),
        )
