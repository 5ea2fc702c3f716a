"""A run that was made in a store of its own goes to the user's store.

Problems side by side are worked on by processes, and SQLite before 3.51.3 can lose what several connections write at
the same moment (https://sqlite.org/wal.html): each process has a store of its own, and one process carries what they
made over, run by run.
"""

from pathlib import Path

from kernelwright.schema import RunState
from kernelwright.store import Store


def carry_over(folder: Path, store: Store) -> str:
    """Copy the run in ``folder`` with its attempts, calls of models and advice; the id that it has in ``store``.

    Empty where there is none. One that was ended early can be resumed there. Raises ``StoreError``.
    """
    with Store.open(folder) as made:
        runs = made.runs()
        if not runs:
            return ""
        run = runs[0]
        attempts, exchanges = made.attempts(run.id), made.exchanges(run.id)
        advice = [found for attempt in attempts if (found := made.advice(run.id, attempt.number)) is not None]
    kept = store.create_run(run.settings).id
    for exchange in exchanges:
        store.add_exchange(kept, exchange)
    for attempt in attempts:
        store.add_attempt(attempt.model_copy(update={"run": kept}))
    for found in advice:
        store.add_advice(kept, found)
    if run.outcome is not None:
        store.finish_run(kept, run.outcome, run.elapsed_seconds)
    else:
        store.set_state(kept, RunState.INTERRUPTED, run.elapsed_seconds)
    return kept
