"""Runs and attempts, kept: SQLite by default, large texts as content-addressed files beside it."""

from kernelwright.store.errors import NotStoredError, StoreError
from kernelwright.store.store import RunSummary, Store

__all__ = ["NotStoredError", "RunSummary", "Store", "StoreError"]
