"""Results of several slices or machines, in one file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernelwright.suites.heads import same, settings_differ
from kernelwright.suites.kernelbench import SuiteError
from kernelwright.suites.records import Head, Place, ProblemRecord, Sitting, SuiteResults


@dataclass(frozen=True)
class Replaced:
    """A problem that two files hold from the same place: the newer record stays, but for one that was not judged, or
    not to the end, where the other was."""

    kept: ProblemRecord
    dropped: ProblemRecord


def merged(files: Sequence[SuiteResults]) -> tuple[SuiteResults, tuple[Replaced, ...]]:
    """One file, whatever the order of ``files``; sittings of equal heads stand side by side.

    Files may come from several places if they were made with the same settings, and with several settings (say, another
    budget) if they come from one place; each record names its own head. Raises ``SuiteError`` where neither holds, and
    for another suite or precision, since ``correct`` is then another word.
    """
    heads = _heads(head for file in files for head in file.heads)
    _must_agree(heads)
    best: dict[tuple[tuple[int, int, str], Place], ProblemRecord] = {}
    replaced: list[Replaced] = []
    for file in files:
        for record in file.problems:
            at = next(k for k, head in enumerate(heads) if same(head, file.heads[record.head]))
            mine = record.model_copy(update={"head": at})
            key = mine.key, heads[at].place
            other = best.setdefault(key, mine)
            if other != mine:
                best[key] = max(other, mine, key=_age)
                replaced.append(Replaced(best[key], other if best[key] is mine else mine))
    problems = sorted(best.values(), key=lambda record: (record.key, record.head))
    return SuiteResults(heads=heads, problems=tuple(problems)), tuple(replaced)


def _heads(given: Iterable[Head]) -> tuple[Head, ...]:
    """Each once, with all its sittings, in an order of their own."""
    found: list[Head] = []
    for head in given:
        at = next((k for k, other in enumerate(found) if same(other, head)), None)
        if at is None:
            found.append(head)
        else:
            found[at] = found[at].model_copy(update={"sittings": (*found[at].sittings, *head.sittings)})
    whole = (head.model_copy(update={"sittings": _sittings(head.sittings)}) for head in found)
    return tuple(sorted(whole, key=lambda head: head.model_copy(update={"sittings": ()}).model_dump_json()))


def _sittings(given: Iterable[Sitting]) -> tuple[Sitting, ...]:
    """Each once, by its beginning: of one that was copied while it went on, the later state."""
    latest: dict[tuple[str, str], Sitting] = {}
    for sitting in sorted(given, key=lambda s: (s.wall_seconds, s.model_dump_json())):
        latest[sitting.began, sitting.command] = sitting
    return tuple(latest[key] for key in sorted(latest))


def _must_agree(heads: Sequence[Head]) -> None:
    first = heads[0]
    for head in heads[1:]:
        difference = settings_differ(first.settings, head.settings)
        if difference is None:
            continue
        same_words = (first.settings.suite, first.settings.precision) == (head.settings.suite, head.settings.precision)
        one_place = len({h.place for h in heads}) == 1
        if not (same_words and one_place):
            why = (
                f"and they come from {first.place} and {head.place}" if same_words else "which changes what is correct"
            )
            raise SuiteError(f"these results were made with other settings ({difference}), {why}: score them apart")


def _age(record: ProblemRecord) -> tuple[bool, bool, str, str]:
    return not record.failure, not record.cut_short, record.finished, record.model_dump_json()
