from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernelwright.schema import Attempt, Candidate, Problem, RunSettings, Status, Verdict
from kernelwright.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def settings() -> RunSettings:
    return RunSettings(
        problem=Problem(name="Small MatMul", format="module", source="class Model: ...\n", payload=b"\x00\xff" * 64),
        authors=("inductor",),
    )


@pytest.fixture
def make_attempt() -> Callable[..., Attempt]:
    def make(run: str, number: int, **verdict: object) -> Attempt:
        return Attempt(
            run=run,
            number=number,
            author="inductor",
            candidate=Candidate(source=f"x = {number}\n", author="inductor"),
            verdict=Verdict.model_validate({"status": Status.CORRECT, **verdict}),
            created="2026-01-01T00:00:00+00:00",
        )

    return make
