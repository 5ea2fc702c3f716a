"""Calls of models and advice: kept whole, written once, and readable from an older store's folder."""

from pathlib import Path

import pytest
from sqlalchemy import text

from kernelwright.schema import (
    Advice,
    CallStatus,
    Exchange,
    Message,
    Picture,
    Problem,
    Profile,
    Prompt,
    RunSettings,
    Text,
    Usage,
)
from kernelwright.store import Store, StoreError
from kernelwright.store.tables import SCHEMA_VERSION

PICTURE = Picture(name="timeline", png=b"\x89PNG" + bytes(range(256)), caption="Where the time goes.")
SETTINGS = RunSettings(
    problem=Problem(name="p", format="kernelbench", source="class Model: ..."),
    reference=Text(name="r.cu", text="__global__ void k() {}"),
    docs=(Text(name="a.md", text="# A\n"), Text(name="b.md", text="")),
)


def exchange(key: str, said: str = "hm") -> Exchange:
    talk = (
        Message(role="user", text="a long question " * 500, pictures=(PICTURE,)),
        Message(role="assistant", text=said),
    )
    return Exchange(
        key=key, model="openai:m", prompt=Prompt(system="rules " * 500, messages=talk), status=CallStatus.CUT_OFF,
        answer="übrig", detail="the stream ended", usage=Usage(input_tokens=7), cost_usd=0.125, seconds=1.5, requests=2,
        created="2026-11-27T00:00:00.000+00:00",
    )  # fmt: skip


def test_calls_and_advice_come_back_as_they_were(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(SETTINGS)
        first, second = exchange("a/1/1"), exchange("a/2/1", "else")
        advice = Advice(about=3, analyst="rules", profile=Profile(tool="t", platform="cpu", pictures=(PICTURE,)))
        store.add_exchange(run.id, first)
        store.add_exchange(run.id, second)
        store.add_advice(run.id, advice)
    with Store.open(tmp_path) as store:
        assert store.run(run.id).settings == SETTINGS
        assert store.exchanges(run.id) == (first, second)
        assert store.exchange(run.id, "a/2/1") == second
        assert store.exchange(run.id, "a/3/1") is None
        assert (store.advice(run.id, 3), store.advice(run.id, 4)) == (advice, None)


def test_what_calls_repeat_is_kept_once(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(SETTINGS)
        store.add_exchange(run.id, exchange("a/0/1", "word 0"))
        before = sum(path.stat().st_size for path in (tmp_path / "texts").rglob("*") if path.is_file())
        for turn in range(1, 20):
            store.add_exchange(run.id, exchange(f"a/{turn}/1", f"word {turn}"))
        after = sum(path.stat().st_size for path in (tmp_path / "texts").rglob("*") if path.is_file())
    assert after - before < 1000 < before


def test_a_key_is_taken_once(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(SETTINGS)
        store.add_exchange(run.id, exchange("a/1/1"))
        store.add_advice(run.id, Advice(about=1, analyst="rules"))
        with pytest.raises(StoreError, match="cannot add call a/1/1"):
            store.add_exchange(run.id, exchange("a/1/1"))
        with pytest.raises(StoreError, match=f"cannot add advice about attempt {run.id}/1"):
            store.add_advice(run.id, Advice(about=1, analyst="rules"))
        with pytest.raises(StoreError, match="the run is unknown"):
            store.add_exchange("nobody", exchange("a/1/1"))


def test_a_store_of_the_first_layout_is_taken_over(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(SETTINGS.model_copy(update={"reference": None, "docs": ()}))
        with store._engine.begin() as connection:  # as the first version left it
            connection.execute(text("DROP TABLE exchanges"))
            connection.execute(text("DROP TABLE advice"))
            connection.execute(text("UPDATE store_meta SET value = '1' WHERE key = 'schema_version'"))
            new = ("rounds", "policy", "context", "reference", "docs", "analyst", "parallel", "seed")
            for name in new:
                connection.execute(text(f"UPDATE runs SET settings = json_remove(settings, '$.{name}')"))
            connection.execute(text("UPDATE runs SET settings = json_remove(settings, '$.budget.dollars')"))
    with Store.open(tmp_path) as store:
        assert store.run(run.id).settings.rounds == RunSettings(problem=SETTINGS.problem).rounds
        store.add_exchange(run.id, exchange("a/1/1"))
        with store._engine.connect() as connection:
            found = connection.scalar(text("SELECT value FROM store_meta WHERE key = 'schema_version'"))
    assert found == str(SCHEMA_VERSION)
