"""Opening: settings of the connection, other versions, other databases, several processes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from kernelwright.home import home
from kernelwright.schema import Attempt, RunSettings
from kernelwright.store import Store, StoreError


def _pragma(store: Store, name: str) -> object:
    with store._engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_commits_are_promises(store: Store) -> None:
    assert _pragma(store, "journal_mode") == "wal"
    assert _pragma(store, "synchronous") == 2  # FULL
    assert _pragma(store, "foreign_keys") == 1


def test_home_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    with Store.open():
        assert (tmp_path / "elsewhere" / "store.db").is_file()
    monkeypatch.delenv("KERNELWRIGHT_HOME")
    assert home() == Path.home() / ".kernelwright"


def test_a_newer_store_is_one_clear_line(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE store_meta SET value = '99' WHERE key = 'schema_version'"))
    with pytest.raises(StoreError, match=r"newer Kernelwright \(layout 99, this one reads 2\)") as caught:
        Store.open(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["text", "folder"])
def test_what_is_no_store_is_one_clear_line(tmp_path: Path, spoil: str) -> None:
    if spoil == "text":
        (tmp_path / "store.db").write_text("not a database at all\n" * 100)
    else:
        (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StoreError, match="cannot use"):
        Store.open(tmp_path / "home")


def test_another_database_by_url(tmp_path: Path, settings: RunSettings) -> None:
    with Store.open(tmp_path / "home", url=f"sqlite:///{tmp_path / 'other.db'}") as store:
        run = store.create_run(settings)
        assert store.run(run.id) == run
    assert not (tmp_path / "home" / "store.db").exists()
    with pytest.raises(StoreError, match="cannot open"):
        Store.open(tmp_path / "home", url="nosuch://database")


def test_two_stores_on_one_folder(
    tmp_path: Path, store: Store, settings: RunSettings, make_attempt: Callable[..., Attempt]
) -> None:
    run = store.create_run(settings)
    with Store.open(tmp_path / "home") as other:
        for number in range(1, 11):
            writer, reader = (store, other) if number % 2 else (other, store)
            writer.add_attempt(make_attempt(run.id, number))
            assert reader.count_attempts(run.id) == number


def test_processes_that_open_a_new_store_together(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from kernelwright.schema import Problem, RunSettings
from kernelwright.store import Store
with Store.open(Path({str(tmp_path / "home")!r})) as store:
    for _ in range(5):
        store.create_run(RunSettings(problem=Problem(name="together", format="kernelbench", source="x")))
"""
    children = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [child.communicate(timeout=120)[1] for child in children]
    assert errors == ["", "", ""]
    with Store.open(tmp_path / "home") as store:
        assert len(store.runs()) == 15
