"""The store: every run and every attempt, failed ones too."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, Row, func, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from kernelwright.home import home as default_home
from kernelwright.schema import Advice, Attempt, Budget, Exchange, Outcome, Record, Run, RunSettings, RunState
from kernelwright.store import connect, records
from kernelwright.store.errors import NotStoredError, StoreError
from kernelwright.store.names import run_id
from kernelwright.store.tables import ADVICE, ATTEMPTS, EXCHANGES, RUNS
from kernelwright.store.texts import Texts


class RunSummary(Record):
    """One line of a list of runs."""

    id: str
    created: str
    state: RunState
    problem: str
    platform: str
    attempts: int
    elapsed_seconds: float
    outcome: Outcome | None


class Store:
    """Runs, attempts and their texts under one folder: ``store.db`` and ``texts/``.

    Every writing method returns after the commit reached the disk. Several processes may have the same store open;
    a writer waits up to 30 s for another one. Methods raise ``StoreError`` with one line, ``NotStoredError`` (a
    ``LookupError``) for a name that is not there.
    """

    def __init__(self, engine: Engine, texts: Texts) -> None:
        self._engine = engine
        self._texts = texts
        self._lock = RLock()
        self._open = True

    @classmethod
    def open(cls, path: Path | None = None, *, url: str | None = None) -> Self:
        """Open, or create, the store under the folder ``path`` (default: ``kernelwright.home``).

        ``url`` names another database by its SQLAlchemy URL; texts stay files under ``path``.
        """
        home = path or default_home()
        try:
            texts = Texts(home / "texts")
        except OSError as error:
            raise StoreError(f"cannot use {home} as the store's folder: {error.strerror or error}") from error
        return cls(connect.open_engine(url or connect.sqlite_url(home / "store.db")), texts)

    def close(self) -> None:
        """Give the connection back, once nobody is reading or writing. Who comes later gets a ``StoreError``.

        Threads may outlive the store: those of authors that nobody waits for any more.
        """
        with self._lock:
            self._open = False
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- runs ---------------------------------------------------------------------------------------------------------

    def create_run(self, settings: RunSettings) -> Run:
        """A new run in state ``running``."""
        stored = records.dump_settings(settings, self._texts)
        now = datetime.now(UTC)
        for _ in range(20):  # four hex digits: two runs of one day may draw the same
            run = Run(
                id=run_id(settings.problem.name, now), created=_iso(now), state=RunState.RUNNING, settings=settings
            )
            row = {
                "id": run.id,
                "created": run.created,
                "state": run.state.value,
                "elapsed_seconds": 0.0,
                "problem": settings.problem.name[:255],
                "problem_digest": settings.problem.digest,
                "platform": settings.platform,
                "settings": stored,
            }
            try:
                self._write(RUNS.insert().values(row))
            except IntegrityError:
                continue
            return run
        raise StoreError(f"no free run id for {settings.problem.name!r} today")

    def set_state(self, run_id: str, state: RunState, elapsed_seconds: float) -> None:
        """``elapsed_seconds``: wall time spent so far, over all resumptions."""
        self._update_run(run_id, state=state.value, elapsed_seconds=elapsed_seconds)

    def set_budget(self, run_id: str, budget: Budget) -> None:
        """Give a run another budget, counted from its start, for the next resumption."""
        settings = self.run(run_id).settings.model_copy(update={"budget": budget})
        self._update_run(run_id, settings=records.dump_settings(settings, self._texts))

    def finish_run(self, run_id: str, outcome: Outcome, elapsed_seconds: float) -> None:
        self._update_run(
            run_id,
            state=RunState.FINISHED.value,
            outcome=records.dump_outcome(outcome),
            elapsed_seconds=elapsed_seconds,
        )

    def run(self, run_id: str) -> Run:
        rows = self._read(select(RUNS).where(RUNS.c.id == run_id))
        if not rows:
            raise NotStoredError(f"no run {run_id!r} in this store: `kernelwright runs` lists them")
        return self._as_run(rows[0])

    def runs(self) -> tuple[Run, ...]:
        """All runs, newest first."""
        rows = self._read(select(RUNS).order_by(RUNS.c.created.desc(), RUNS.c.id))
        return tuple(self._as_run(row) for row in rows)

    def summaries(self) -> tuple[RunSummary, ...]:
        """What a list of runs shows, newest first, without reading a single text."""
        counts = select(ATTEMPTS.c.run, func.count().label("attempts")).group_by(ATTEMPTS.c.run).subquery()
        rows = self._read(
            select(RUNS, func.coalesce(counts.c.attempts, 0).label("attempts"))
            .outerjoin(counts, counts.c.run == RUNS.c.id)
            .order_by(RUNS.c.created.desc(), RUNS.c.id)
        )
        return tuple(
            RunSummary(
                id=row.id,
                created=row.created,
                state=RunState(row.state),
                problem=row.problem,
                platform=row.platform,
                attempts=row.attempts,
                elapsed_seconds=row.elapsed_seconds,
                outcome=records.load_outcome(row.outcome),
            )
            for row in rows
        )

    # -- attempts -----------------------------------------------------------------------------------------------------

    def add_attempt(self, attempt: Attempt, elapsed_seconds: float | None = None) -> None:
        """Store one attempt; when this returns, ``kill -9`` cannot lose it.

        ``elapsed_seconds`` moves the run's clock in the same transaction. Raises ``StoreError`` for an unknown run and
        for a number that is taken.
        """
        verdict, candidate = attempt.verdict, attempt.candidate
        row = {
            "run": attempt.run,
            "number": attempt.number,
            "author": attempt.author[:255],
            "created": attempt.created,
            "status": verdict.status.value,
            "candidate": candidate.digest if candidate else None,
            "speedup": verdict.speedup.best_baseline.median if verdict.speedup.best_baseline else None,
            "record": records.dump_attempt(attempt, self._texts),
        }
        statements: list[Any] = [ATTEMPTS.insert().values(row)]
        if elapsed_seconds is not None:
            statements.append(update(RUNS).where(RUNS.c.id == attempt.run).values(elapsed_seconds=elapsed_seconds))
        try:
            self._write(*statements)
        except IntegrityError as error:
            raise StoreError(f"cannot add attempt {attempt.id}: the run is unknown or the number is taken") from error

    def attempts(self, run_id: str) -> tuple[Attempt, ...]:
        """All attempts of a run, by number. An unknown run has none."""
        rows = self._read(select(ATTEMPTS.c.record).where(ATTEMPTS.c.run == run_id).order_by(ATTEMPTS.c.number))
        return tuple(records.load_attempt(row.record, self._texts) for row in rows)

    def count_attempts(self, run_id: str) -> int:
        return int(self._read(select(func.count()).select_from(ATTEMPTS).where(ATTEMPTS.c.run == run_id))[0][0])

    def attempt(self, attempt_id: str) -> Attempt:
        """The attempt called ``RUN/NUMBER``."""
        run, _, number = attempt_id.rpartition("/")
        if not run or not number.isdecimal():
            raise NotStoredError(f"{attempt_id!r} is not an attempt's name: write RUN/NUMBER")
        rows = self._read(select(ATTEMPTS.c.record).where(ATTEMPTS.c.run == run, ATTEMPTS.c.number == int(number)))
        if not rows:
            raise NotStoredError(
                f"no attempt {attempt_id!r} in this store: `kernelwright show {run}` lists a run's attempts"
            )
        return records.load_attempt(rows[0].record, self._texts)

    # -- calls of models ----------------------------------------------------------------------------------------------

    def add_exchange(self, run_id: str, exchange: Exchange) -> None:
        """Store one call of a model; when this returns, ``kill -9`` cannot lose it.

        Raises ``StoreError`` for an unknown run and for a key that is taken.
        """
        row = {
            "run": run_id,
            "key": exchange.key,
            "model": exchange.model[:255],
            "status": exchange.status.value,
            "cost_usd": exchange.cost_usd,
            "created": exchange.created,
            "record": records.dump_exchange(exchange, self._texts),
        }
        try:
            self._write(EXCHANGES.insert().values(row))
        except IntegrityError as error:
            raise StoreError(f"cannot add call {exchange.key}: the run is unknown or the key is taken") from error

    def exchange(self, run_id: str, key: str) -> Exchange | None:
        rows = self._read(select(EXCHANGES.c.record).where(EXCHANGES.c.run == run_id, EXCHANGES.c.key == key))
        return records.load_exchange(rows[0].record, self._texts) if rows else None

    def exchanges(self, run_id: str) -> tuple[Exchange, ...]:
        """All calls of a run, oldest first."""
        order = EXCHANGES.c.created, EXCHANGES.c.key
        rows = self._read(select(EXCHANGES.c.record).where(EXCHANGES.c.run == run_id).order_by(*order))
        return tuple(records.load_exchange(row.record, self._texts) for row in rows)

    def add_advice(self, run_id: str, advice: Advice) -> None:
        """Store what an analyst said about an attempt. Raises ``StoreError`` where there is advice about it already."""
        row = {
            "run": run_id,
            "about": advice.about,
            "analyst": advice.analyst[:255],
            "record": records.dump_advice(advice, self._texts),
        }
        try:
            self._write(ADVICE.insert().values(row))
        except IntegrityError as error:
            said = f"cannot add advice about attempt {run_id}/{advice.about}: the run is unknown, or there is advice"
            raise StoreError(said) from error

    def advice(self, run_id: str, number: int) -> Advice | None:
        rows = self._read(select(ADVICE.c.record).where(ADVICE.c.run == run_id, ADVICE.c.about == number))
        return records.load_advice(rows[0].record, self._texts) if rows else None

    # -- texts --------------------------------------------------------------------------------------------------------

    def put_text(self, text: str) -> str:
        """Store a text under its SHA-256 (of its UTF-8 bytes), hex."""
        return self._texts.put(text.encode())

    def get_text(self, digest: str) -> str:
        return self._texts.get(digest).decode()

    # -- the database -------------------------------------------------------------------------------------------------

    def _as_run(self, row: Row[Any]) -> Run:
        return Run(
            id=row.id,
            created=row.created,
            state=RunState(row.state),
            settings=records.load_settings(row.settings, self._texts),
            outcome=records.load_outcome(row.outcome),
            elapsed_seconds=row.elapsed_seconds,
        )

    def _update_run(self, run_id: str, **values: Any) -> None:
        if self._write(update(RUNS).where(RUNS.c.id == run_id).values(values)) == 0:
            raise NotStoredError(f"no run {run_id!r} in this store: `kernelwright runs` lists them")

    def _write(self, *statements: Any) -> int:
        """All or nothing; the number of rows that the last statement changed."""
        changed = 0
        with self._lock:
            self._must_be_open()
            try:
                with connect.write(self._engine) as connection:
                    for statement in statements:
                        changed = connection.execute(statement).rowcount
            except IntegrityError:
                raise
            except SQLAlchemyError as error:
                raise StoreError(f"cannot write to the store: {str(error).splitlines()[0]}") from error
        return changed

    def _read(self, statement: Any) -> Sequence[Row[Any]]:
        with self._lock:
            self._must_be_open()
            try:
                with self._engine.connect() as connection:
                    return connection.execute(statement).all()
            except SQLAlchemyError as error:
                raise StoreError(f"cannot read the store: {str(error).splitlines()[0]}") from error

    def _must_be_open(self) -> None:
        if not self._open:
            raise StoreError("the store is closed")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
