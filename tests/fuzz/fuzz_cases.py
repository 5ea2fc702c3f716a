"""Modules with the candidates that are judged for them, the same ones for the same seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from fuzz_measure import AGREE, DIFFER, Difference, Measured
from fuzz_modules import Form, Module, modules, mutations, rewritings
from fuzz_operators import Draw
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

BLOCK = 8
"""Modules drawn under one seed: where a long run can be taken up again."""
_SPARE = 3
"""How many more candidates are drawn than are wanted: some are drawn twice, some mutations change nothing."""
Forms = dict[int, Form]


@dataclass(frozen=True)
class Case:
    """One candidate: what was done to the module, and how far that moves its outputs in float64."""

    kind: str
    """``honest`` or ``mutant``."""
    forms: Forms
    difference: Difference


@dataclass(frozen=True)
class Batch:
    """One module and its candidates."""

    module: Module
    cases: tuple[Case, ...]
    unequal: tuple[Forms, ...]
    """Rewritings that turned out not to be equal: a mistake in a form, or in the module that was let through."""


def block(number: int, run: int, each: int, known: set[str] | None = None) -> Iterator[Batch]:
    """The batches of one block of a run: at most ``each`` honest candidates and as many mutants for every module.

    ``known`` are digests of modules that had their turn; those of this block are added.
    """
    known = set() if known is None else known
    drawn: list[tuple[Module, list[Forms], list[Forms]]] = []

    @seed(run * 1_000_003 + number)
    @settings(
        max_examples=3 * BLOCK,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_candidates(each))
    def collect(example: tuple[Module, list[Forms], list[Forms]]) -> None:
        drawn.append(example)

    collect()
    found = 0
    for module, rewritten, mutated in drawn:
        if module.digest in known or found == BLOCK:
            continue
        known.add(module.digest)
        batch = _batch(module, rewritten, mutated, each)
        if batch is not None:
            found += 1
            yield batch


@st.composite
def _candidates(draw: Draw, each: int) -> tuple[Module, list[Forms], list[Forms]]:
    module = draw(modules())
    wanted = [
        draw(st.lists(strategy(module), min_size=_SPARE * each, max_size=_SPARE * each))
        for strategy in (rewritings, mutations)
    ]
    return module, wanted[0], wanted[1]


def _batch(module: Module, rewritten: list[Forms], mutated: list[Forms], each: int) -> Batch | None:
    measured = Measured(module.problem)
    if not measured.well_posed:
        return None
    cases: dict[str, Case] = {}
    unequal: list[Forms] = []
    for forms in rewritten:
        source = module.candidate(forms)
        if source in cases or len(cases) == each:
            continue
        difference = measured.difference(source)
        if difference.largest <= AGREE:
            cases[source] = Case("honest", forms, difference)
        else:
            unequal.append(forms)
    honest = len(cases)
    for forms in mutated:
        source = module.candidate(forms)
        if source in cases or len(cases) - honest == each:
            continue
        try:
            difference = measured.difference(source)
        except (RuntimeError, IndexError, ValueError):
            continue  # it does not fit these shapes
        if difference.largest > DIFFER:
            cases[source] = Case("mutant", forms, difference)
    return Batch(module, tuple(cases.values()), tuple(unequal))


def on_one_thread() -> None:
    """Small tensors: a pool of threads costs more than it brings."""
    torch.set_num_threads(1)
