"""Opening the database: SQLite with the settings that make a commit a promise, or another one by its URL."""

import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from kernelwright.store.errors import StoreError
from kernelwright.store.tables import META, METADATA, SCHEMA_VERSION

BUSY_SECONDS = 30.0
"""How long a writer waits for another process to finish its transaction."""


def open_engine(url: str) -> Engine:
    """An engine with one connection, its tables present and its layout readable by this version.

    Raises ``StoreError`` (one line) where the database cannot be opened or was written by a newer Kernelwright.
    """
    try:
        engine = _engine(url)
        with write(engine) as connection:
            METADATA.create_all(connection)
            _check_version(connection, url)
    except (SQLAlchemyError, sqlite3.Error, ImportError) as error:
        raise StoreError(f"cannot open the store {url}: {_first_line(error)}") from error
    return engine


def write(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that holds the write lock from its start, so that it waits for others and never fails late."""
    return engine.execution_options(kernelwright_write=True).begin()


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url)
    # One connection for the whole store: SQLite before 3.51.3 can lose the WAL when two connections of a process
    # checkpoint at the same time.
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    _until_not_busy(connection, "PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _until_not_busy(connection: sqlite3.Connection, statement: str) -> None:
    """SQLite does not wait by itself while another process switches a new database to WAL."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("kernelwright_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_version(connection: Connection, url: str) -> None:
    found = connection.scalar(select(META.c.value).where(META.c.key == "schema_version"))
    if found is None:
        connection.execute(META.insert().values(key="schema_version", value=str(SCHEMA_VERSION)))
    elif int(found) > SCHEMA_VERSION:
        raise StoreError(
            f"the store {url} was written by a newer Kernelwright (layout {found}, this one reads {SCHEMA_VERSION}): "
            "upgrade kernelwright, or set KERNELWRIGHT_HOME to another folder"
        )
    elif int(found) < SCHEMA_VERSION:  # what is new has its own tables, which are there by now
        connection.execute(META.update().where(META.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
