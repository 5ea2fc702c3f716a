"""The tables, and the version of their layout.

A record is kept whole, as the JSON of its pydantic model; the other columns are what queries need.
"""

from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

SCHEMA_VERSION = 2
"""Raise it with every change that an older Kernelwright could not read. 2: calls of models, advice, and attempts that
name them; the records of layout 1 are read as they are."""

METADATA = MetaData()

META = Table(
    "store_meta",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("value", String(255), nullable=False),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(128), primary_key=True),
    Column("created", String(40), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("elapsed_seconds", Float, nullable=False),
    Column("problem", String(255), nullable=False),
    Column("problem_digest", String(64), nullable=False, index=True),
    Column("platform", String(32), nullable=False),
    Column("settings", Text, nullable=False),
    Column("outcome", Text, nullable=True),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("run", String(128), ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("author", String(255), nullable=False),
    Column("created", String(40), nullable=False),
    Column("status", String(32), nullable=False),
    Column("candidate", String(64), nullable=True, index=True),
    Column("speedup", Float, nullable=True),
    Column("record", Text, nullable=False),
)

EXCHANGES = Table(
    "exchanges",
    METADATA,
    Column("run", String(128), ForeignKey("runs.id"), primary_key=True),
    Column("key", String(400), primary_key=True),
    Column("model", String(255), nullable=False),
    Column("status", String(32), nullable=False),
    Column("cost_usd", Float, nullable=True),
    Column("created", String(40), nullable=False),
    Column("record", Text, nullable=False),
)

ADVICE = Table(
    "advice",
    METADATA,
    Column("run", String(128), ForeignKey("runs.id"), primary_key=True),
    Column("about", Integer, primary_key=True, autoincrement=False),
    Column("analyst", String(255), nullable=False),
    Column("record", Text, nullable=False),
)
