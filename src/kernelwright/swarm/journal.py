"""The store as a journal of model calls."""

import threading

from kernelwright.schema import Exchange
from kernelwright.store import Store


class StoreJournal:
    """One run's calls. After ``close`` answers that arrive late are dropped: the run they were for has ended."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run = store, run_id
        self._open = True
        self._lock = threading.Lock()

    def find(self, key: str) -> Exchange | None:
        return self._store.exchange(self._run, key)

    def keep(self, exchange: Exchange) -> None:
        with self._lock:
            if self._open:
                self._store.add_exchange(self._run, exchange)

    def close(self) -> None:
        with self._lock:
            self._open = False
