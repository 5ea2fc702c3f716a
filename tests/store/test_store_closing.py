"""A store that is closed while others still use it: they are told, and nothing crashes."""

import threading
from pathlib import Path

import pytest

from kernelwright.schema import Problem, RunSettings
from kernelwright.store import Store, StoreError

SETTINGS = RunSettings(problem=Problem(name="p", format="kernelbench", source="x"))
READERS = 4


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    run = store.create_run(SETTINGS)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.exchange(run.id, "a/1/1")
    with pytest.raises(StoreError, match="the store is closed"):
        store.create_run(SETTINGS)


@pytest.mark.parametrize("time", range(10))
def test_whoever_reads_while_it_is_closed_is_told(tmp_path: Path, time: int) -> None:
    """As an author's thread does that was left behind."""
    store = Store.open(tmp_path)
    run = store.create_run(SETTINGS)
    told: list[str] = []
    reading = threading.Barrier(READERS + 1, timeout=10)

    def read() -> None:
        reading.wait()
        try:
            while True:
                store.exchange(run.id, "a/1/1")
        except StoreError as error:
            told.append(str(error))

    threads = [threading.Thread(target=read, daemon=True) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    reading.wait()
    store.close()
    for thread in threads:
        thread.join(timeout=10)
    assert told == ["the store is closed"] * READERS
