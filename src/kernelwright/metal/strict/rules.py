"""The register of rules: what each one forbids, and where the specification says so.

A rule is a function that looks at a program and yields what breaks it. Sections are those of the Metal Shading
Language Specification, version 3.2; by title only where the number differs between printings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelwright.metal.contract import Severity
from kernelwright.metal.language.tokens import Place
from kernelwright.metal.strict.view import Program

LANGUAGE_VERSION = 320
"""``__METAL_VERSION__`` of the language that is checked against: Metal 3.2."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that breaks a rule."""

    at: int
    """Position in the program's stream."""
    message: str
    """In the user's terms, one line."""
    place: Place | None = None
    """Where an attribute stands: attributes have no position of their own."""

    def where(self, program: Program) -> Place:
        return self.place if self.place is not None else program.place(self.at)


Check = Callable[[Program], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that Apple's compiler rejects, or that cannot be run here."""

    name: str
    section: str
    """Number and title, as in ``4.1 Device Address Space``."""
    reason: str
    """One sentence: what the language says."""
    check: Check
    severity: Severity = Severity.ERROR
    """``WARNING`` where the specification is silent and compilers differ."""
    legal_from: int | None = None
    """``__METAL_VERSION__`` from which on the language allows it."""

    def applies(self, version: int) -> bool:
        """Whether the rule is one of this version of the language."""
        return self.legal_from is None or version < self.legal_from


_RULES: dict[str, Rule] = {}


def rule(
    name: str,
    section: str,
    reason: str,
    *,
    severity: Severity = Severity.ERROR,
    legal_from: int | None = None,
) -> Callable[[Check], Check]:
    """Registers the function below it."""

    def register(check: Check) -> Check:
        add(Rule(name, section, reason, check, severity, legal_from))
        return check

    return register


def add(found: Rule) -> None:
    """Registers a rule. Raises ``ValueError`` when its name is taken."""
    if found.name in _RULES:
        raise ValueError(f"two rules are called {found.name}")
    _RULES[found.name] = found


def rules() -> tuple[Rule, ...]:
    """All rules in the order of their registration."""
    return tuple(_RULES.values())


def broken(program: Program, version: int = LANGUAGE_VERSION) -> list[tuple[Rule, Finding]]:
    """Which rules the program breaks in this version of the language, and where: in the order of the text.

    Where one rule is broken twice at the same position only the first finding counts.
    """
    found: dict[tuple[str, int], tuple[Rule, Finding]] = {}
    for each in rules():
        for finding in each.check(program) if each.applies(version) else ():
            found.setdefault((each.name, finding.at), (each, finding))
    return sorted(found.values(), key=lambda pair: pair[1].at)
