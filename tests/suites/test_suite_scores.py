"""Scores against numbers made by hand, and their algebra."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_kit import head, record, results, sitting

from kernelwright.suites import tables
from kernelwright.suites.kernelbench import SuiteError
from kernelwright.suites.records import ProblemRecord, Spent
from kernelwright.suites.scores import THRESHOLDS, AgainstScore, GroupScore, fast_p, geometric_mean, score
from kernelwright.suites.standing import limit_shares, standing

FOUR = (
    record(1, 8.0),  # 8 times eager, 4 times compile: wins
    record(2, 1.5),  # correct, slower than compile: compile stays
    record(3, None),  # no correct candidate
    record(4, None, failure="out of memory"),
)


def group(found: tuple[GroupScore, ...], name: str = "all", *, degenerate: bool = True) -> GroupScore:
    return next(g for g in found if g.group == name and g.degenerate is degenerate)


def against(found: GroupScore, baseline: str) -> AgainstScore:
    return next(a for a in found.against if a.baseline == baseline)


def shares(found: AgainstScore) -> dict[float, float]:
    return {f.p: f.share for f in found.fast_p}


def test_by_hand() -> None:
    everything = group(score(results(*FOUR)).places[0].groups)
    assert (everything.problems, everything.judged, everything.correct, everything.won) == (4, 3, 2, 1)
    eager = against(everything, "eager")
    assert shares(eager) == {0.0: 0.5, 0.8: 0.5, 1.0: 0.5, 1.5: 0.25, 2.0: 0.25}  # 1.5 is not faster than 1.5 ×
    assert eager.geometric_mean is not None
    assert eager.geometric_mean.median == pytest.approx(
        (8.0 * 2.0 * 2.0 * 1.0) ** (1 / 4)
    )  # where torch.compile stays, it counts
    assert eager.geometric_mean_correct is not None
    assert eager.geometric_mean_correct.median == pytest.approx(math.sqrt(8.0 * 1.5))
    best = against(everything, "best")
    assert shares(best) == {0.0: 0.5, 0.8: 0.25, 1.0: 0.25, 1.5: 0.25, 2.0: 0.25}
    assert best.geometric_mean is not None
    assert best.geometric_mean.median == pytest.approx(4 ** (1 / 4))
    assert (best.median, best.below) == (1.0, 0)


def test_a_baseline_that_was_not_timed_is_left_out_and_counted() -> None:
    everything = group(score(results(record(1, 3.0), record(2, 4.0, compile=None))).places[0].groups)
    compiled = against(everything, "compile")
    assert (compiled.problems, compiled.without_baseline) == (1, 1)
    assert compiled.geometric_mean is not None
    assert compiled.geometric_mean.median == pytest.approx(1.5)
    nowhere = against(everything, "compile-max-autotune")
    assert (nowhere.problems, nowhere.geometric_mean, nowhere.median) == (0, None, None)
    assert against(everything, "eager").problems == 2


def test_a_baseline_that_would_be_rejected_is_counted() -> None:
    exact, other = record(1, 3.0), record(2, 4.0, compile=1.5)
    eager, compiled = other.baselines
    inexact = compiled.model_copy(update={"inexact": "an error of 3e-4 where 2e-6 is allowed"})
    found = score(results(exact, other.model_copy(update={"baselines": (eager, inexact)})))
    counts = {a.baseline: a.inexact for a in group(found.places[0].groups).against}
    assert (counts["eager"], counts["compile"], counts["best"]) == (0, 1, 1)
    said = "The answer of torch.compile in 1, of the best of them in 1 of 2 problems would be rejected as a candidate's"
    assert said in tables.markdown(found)
    assert "rejected" not in tables.markdown(score(results(exact)))


def test_a_winner_that_is_slower_is_counted_as_it_is() -> None:
    """``torch.compile`` written down as a file may be measured to be a little slower than itself."""
    found = against(group(score(results(record(1, 1.94, wins=True))).places[0].groups), "best")
    assert found.below == 1
    assert found.geometric_mean is not None
    assert found.geometric_mean.median == pytest.approx(0.97)


def test_with_and_without_degenerate_problems_and_by_level() -> None:
    odd = record(2, 900.0, labels=("constant_output",))
    place = score(results(record(1, 4.0), odd, record(1, 6.0, level=2))).places[0]
    assert [(g.group, g.degenerate, g.problems) for g in place.groups] == [
        ("level 1", True, 2), ("level 1", False, 1), ("level 2", True, 1), ("level 2", False, 1), ("all", True, 3),
        ("all", False, 2),
    ]  # fmt: skip
    honest = against(group(place.groups, degenerate=False), "eager").geometric_mean
    assert honest is not None
    assert honest.median == pytest.approx(math.sqrt(24))


def test_shares_of_the_limits() -> None:
    winner, stays = record(1, 8.0), record(2, 1.5)
    assert (limit_shares(winner).of_bytes, limit_shares(winner).of_work) == (1.0, 0.5)
    assert limit_shares(stays).of_bytes == 0.25, "compile stays: 4 ms"
    assert winner.winner is not None
    algebra = winner.model_copy(
        update={"winner": winner.winner.model_copy(update={"less_work": True}), "work_floor_ms": 3.0}
    )
    assert limit_shares(algebra).larger == 1.0
    assert limit_shares(FOUR[2]).larger is None
    everything = group(score(results(*FOUR)).places[0].groups)
    assert (everything.byte_share, everything.work_share) == (0.625, 0.3125)


def test_problems_that_hold_back_and_the_device_s_time() -> None:
    many = [record(k, 2.0 + k / 10) for k in range(1, 13)]
    place = score(results(*many, heads=(head(sittings=(sitting(1), sitting(3, device=900.0))),))).places[0]
    assert [h.problem for h in place.holding_back] == [f"level1/{k}_problem" for k in range(1, 11)]
    assert place.holding_back[0].winner == "rewriter: faster"
    assert place.holding_back[0].limit_share == pytest.approx(2.1 / 8)
    assert place.problems_per_hour == 10.0
    assert place.device_share == pytest.approx(2700 / 7200)


def test_where_the_time_went() -> None:
    """Files of versions that did not count it have no such record."""
    old = record(1, 2.0)
    assert score(results(old)).places[0].spent is None
    assert "own time" not in tables.markdown(score(results(old)))
    counted = [record(n, 2.0).model_copy(update={"spent": Spent(gate=60.0, checking=n)}) for n in (2, 3)]
    scored = score(results(old, *counted))
    assert scored.places[0].spent == Spent(gate=120.0, checking=5.0)
    assert "2:00 waiting for the device" in tables.markdown(scored)
    assert "5.0 s checking them" in tables.markdown(scored)
    assert set(tables.SPENT) == set(Spent.model_fields)


def test_devices_are_scored_apart() -> None:
    two = results(record(1, 4.0), record(1, 9.0).model_copy(update={"head": 1}), heads=(head(), head(name="H200")))
    found = {p.device: against(group(p.groups), "eager").median for p in score(two).places}
    assert found == {"H100": 4.0, "H200": 9.0}


def test_nothing_to_score() -> None:
    with pytest.raises(SuiteError, match="no problems"):
        score(results())
    assert geometric_mean([]) is None


def test_tables() -> None:
    page = tables.markdown(score(results(*FOUR, record(5, 3.0, labels=("constant_output",)))))
    assert "| all | 5 | 4 | 3 | 2 |" in page
    assert "| all, not degenerate | 4 | 3 | 2 | 1 |" in page
    assert "level 1" not in page, "a single level is all of them"
    assert "| all, against eager | 60 % |" in page
    assert "| level1/4_problem | 1.00 | – | not judged: out of memory |" in page
    assert all(line.count("|") >= 5 for line in page.splitlines() if line.startswith("|"))


ratios = st.floats(0.05, 50.0)


@st.composite
def problems(draw: st.DrawFn) -> list[ProblemRecord]:
    values = draw(st.lists(st.one_of(st.none(), ratios), min_size=1, max_size=12))
    found = [record(k, ratio, compile=draw(st.one_of(st.none(), ratios))) for k, ratio in enumerate(values, 1)]
    failed = [record(k, None, failure="gone") for k in range(20, 20 + draw(st.integers(0, 2)))]
    return found + failed


@given(problems(), st.sampled_from(("eager", "compile", "best")))
def test_fast_p_falls_with_p(found: list[ProblemRecord], baseline: str) -> None:
    standings = [s for r in found if (s := standing(r, baseline)) is not None]
    curve = [fast_p(standings, p) for p in (*THRESHOLDS, 10.0, 1e9)]
    assert curve == sorted(curve, reverse=True)
    assert all(0.0 <= share <= 1.0 for share in curve)
    assert curve[-1] == 0.0


@given(st.lists(ratios, min_size=1, max_size=20))
def test_a_geometric_mean_lies_between_its_extremes(values: list[float]) -> None:
    mean = geometric_mean(values)
    assert mean is not None
    slack = 1e-9
    assert min(values) * (1 - slack) <= mean.low <= mean.median * (1 + slack)
    assert mean.median <= mean.high * (1 + slack) <= max(values) * (1 + 2 * slack)


@given(st.lists(ratios, min_size=1, max_size=10), st.floats(0.1, 10.0))
def test_a_geometric_mean_scales(values: list[float], factor: float) -> None:
    mean, scaled = geometric_mean(values), geometric_mean([factor * value for value in values])
    assert mean is not None
    assert scaled is not None
    assert scaled.median == pytest.approx(factor * mean.median)


@given(problems())
def test_the_user_keeps_nothing_slower_than_the_module(found: list[ProblemRecord]) -> None:
    """A candidate wins only where it is faster than the best baseline."""
    kept = [s.kept for r in found if (s := standing(r, "best")) is not None]
    assert min(kept) >= 1.0
    assert against(group(score(results(*found)).places[0].groups), "best").below == 0
