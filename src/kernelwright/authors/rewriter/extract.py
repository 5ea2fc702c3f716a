"""Extraction: the cheapest graph in an e-graph, each shared term counted once. Imports no torch.

Greedy DAG extraction as in the extraction gym of the egraphs-good community: per class the best form so far together
with everything below it, improved until nothing gets cheaper. egglog's own extractor counts a shared term once per use,
and given costs that account for sharing it may fail, because such costs do not only fall.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """One operation in a class: ``args`` are classes."""

    group: int
    op: str
    signature: int
    args: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One operation of an extracted graph. ``args`` are positions in the list it stands in."""

    op: str
    signature: int
    args: tuple[int, ...]


Price = Callable[[int, bool], int]
"""The cost of an operation, by signature, and whether it depends on an input. Always positive."""


@dataclass(frozen=True, slots=True)
class _Best:
    form: Form
    total: int
    live: bool
    parts: dict[int, int]
    """Own cost of every class below, this one included."""


def extract(forms: Sequence[Form], root: int, price: Price) -> list[Chosen]:
    """The cheapest graph of the class ``root``: arguments before what uses them, the root last."""
    best = _improve(forms, price, shared=True)
    order = _order(best, root)
    if order is None:  # choices made at different times met in a circle; tree costs cannot
        best = _improve(forms, price, shared=False)
        order = _order(best, root)
    assert order is not None, "with positive tree costs a term never contains itself"
    place = {group: position for position, group in enumerate(order)}
    chosen = [best[group].form for group in order]
    return [Chosen(form.op, form.signature, tuple(place[a] for a in form.args)) for form in chosen]


def _improve(forms: Sequence[Form], price: Price, *, shared: bool) -> dict[int, _Best]:
    """Per class its best form: everything below counted once (``shared``), or once per use."""
    users: dict[int, list[Form]] = {}
    for form in forms:
        for group in set(form.args):
            users.setdefault(group, []).append(form)
    best: dict[int, _Best] = {}
    queue = deque(forms)
    waiting = set(forms)
    while queue:
        form = queue.popleft()
        waiting.discard(form)
        if any(a not in best for a in form.args):
            continue
        live = form.op == "input" or any(best[a].live for a in form.args)
        own = price(form.signature, live)
        parts: dict[int, int] = {}
        if shared:
            for a in form.args:
                parts |= best[a].parts
            if form.group in parts:
                continue
            parts[form.group] = own
        total = sum(parts.values()) if shared else own + sum(best[a].total for a in form.args)
        current = best.get(form.group)
        if current is None or total < current.total:
            best[form.group] = _Best(form, total, live, parts)
            for user in users.get(form.group, []):
                if user not in waiting:
                    waiting.add(user)
                    queue.append(user)
    return best


def _order(best: dict[int, _Best], root: int) -> list[int] | None:
    """The classes that the chosen form of ``root`` needs, in topological order; ``None`` if they form a circle."""
    order: list[int] = []
    done: set[int] = set()
    open_: set[int] = set()
    stack = [root]
    while stack:
        group = stack[-1]
        missing = [a for a in best[group].form.args if a not in done]
        if group in done:
            stack.pop()
        elif not missing:
            done.add(group)
            order.append(group)
            stack.pop()
        elif group in open_ and any(a in open_ for a in missing):
            return None
        else:
            open_.add(group)
            stack += reversed(missing)
    return order
