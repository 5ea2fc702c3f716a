"""Whether what was found before can stand beside what is found now."""

import sys
from collections.abc import Iterable

from kernelwright import __version__
from kernelwright.platforms import Platform
from kernelwright.suites.kernelbench import Found, SuiteError
from kernelwright.suites.records import Head, Sitting, SuiteResults, SuiteSettings

VOLATILE = ("memory_free",)
"""Details of a device that change from hour to hour."""


def head_here(settings: SuiteSettings, platform: Platform) -> Head:
    """This machine, now."""
    import torch

    facts = platform.facts()
    details = {name: value for name, value in facts.details.items() if name not in VOLATILE}
    return Head(
        settings=settings,
        kernelwright=__version__,
        torch=torch.__version__,
        python=".".join(map(str, sys.version_info[:3])),
        device=facts.model_copy(update={"details": details}),
    )


def begin(before: SuiteResults | None, head: Head, sitting: Sitting) -> tuple[SuiteResults, int]:
    """The file to go on with, and the place of the head that this sitting belongs to.

    Raises ``SuiteError`` where ``before`` was made elsewhere, or with other settings alone: a merged file may have
    several, and is gone on with in any of them.
    """
    heads = list(before.heads) if before is not None else []
    found = [(other, difference) for other in heads if (difference := differs(other, head)) is not None]
    known = len(found) < len(heads)
    for other, difference in found:
        if not known or other.place != head.place:
            raise SuiteError(f"the results there were made {difference}: give this run another --out, and merge")
    place = next((k for k, other in enumerate(heads) if same(other, head)), len(heads))
    if place == len(heads):
        heads.append(head)
    heads[place] = heads[place].model_copy(update={"sittings": (*heads[place].sittings, sitting)})
    return SuiteResults(heads=tuple(heads), problems=before.problems if before is not None else ()), place


def to_do(plan: Iterable[Found], before: SuiteResults, *, again: bool) -> list[Found]:
    """What the file does not hold whole, or holds by another text; with ``again``, what could not be judged too."""
    held = {(r.key, r.digest) for r in before.problems if not (r.cut_short or (again and r.failure))}
    return [f for f in plan if (f.key, f.problem.digest) not in held]


def same(a: Head, b: Head) -> bool:
    """Whether they say the same, sittings apart."""
    return a.model_copy(update={"sittings": ()}) == b.model_copy(update={"sittings": ()})


def differs(a: Head, b: Head) -> str | None:
    """What is different about ``a``, in words: its device, or its settings by name and value."""
    if a.place != b.place:
        return f"on {a.place}, this is {b.place}"
    if (difference := settings_differ(a.settings, b.settings)) is not None:
        return f"with {difference}"
    return None


def settings_differ(a: SuiteSettings, b: SuiteSettings) -> str | None:
    """The first setting that differs, as ``authors rewriter, not inductor``; the platform is part of the place."""
    for name in SuiteSettings.model_fields:
        mine, other = getattr(a, name), getattr(b, name)
        if mine != other and name != "platform":
            return f"{name} {_said(mine)}, not {_said(other)}"
    return None


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
