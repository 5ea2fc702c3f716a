"""What can go wrong with a store. Every message is one line."""


class StoreError(Exception):
    """The store cannot be opened, read or written."""


class NotStoredError(StoreError, LookupError):
    """There is no run, attempt or text of that name."""
