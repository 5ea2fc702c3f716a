"""Merging: no order matters, the newer stays, what cannot be compared is refused."""

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_kit import head, record, results, sitting

from kernelwright.schema import Budget, Precision
from kernelwright.suites import file, heads
from kernelwright.suites.kernelbench import SuiteError
from kernelwright.suites.merge import merged
from kernelwright.suites.records import Head, SuiteResults

HEADS = (head(), head(name="H200"), head(torch="2.13.0"))


@st.composite
def files(draw: st.DrawFn) -> SuiteResults:
    heads = tuple(
        h.model_copy(update={"sittings": (sitting(draw(st.integers(0, 5))),)})
        for h in draw(st.permutations(HEADS))[: draw(st.integers(1, 3))]
    )
    made = {
        (number, at): record(number, draw(st.sampled_from((2.0, 3.0, None))), minute=draw(st.integers(0, 2)))
        for number, at in draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, len(heads) - 1)), max_size=6))
    }
    return results(*(r.model_copy(update={"head": at}) for (_, at), r in made.items()), heads=heads)


@given(files(), files())
def test_the_order_does_not_matter(a: SuiteResults, b: SuiteResults) -> None:
    assert merged([a, b])[0] == merged([b, a])[0]


@given(files(), files(), files())
def test_nor_does_the_grouping(a: SuiteResults, b: SuiteResults, c: SuiteResults) -> None:
    at_once = merged([a, b, c])[0]
    assert merged([merged([a, b])[0], c])[0] == at_once
    assert merged([a, merged([b, c])[0]])[0] == at_once


@given(files())
def test_a_file_with_itself_is_itself(a: SuiteResults) -> None:
    once = merged([a])[0]
    assert merged([once, once])[0] == once
    assert merged([a, once])[1] == ()


def test_the_newer_of_two_stays_and_both_are_named() -> None:
    older, newer = record(3, 2.5, minute=1), record(3, 3.5, minute=9)
    found, replaced = merged([results(newer, record(1, None)), results(older)])
    assert [r.number for r in found.problems] == [1, 3]
    assert found.problems[1] == newer
    assert [(pair.kept, pair.dropped) for pair in replaced] == [(newer, older)]


def test_what_was_cut_short_gives_way_to_what_was_not() -> None:
    whole, cut_short = record(3, 2.5, minute=1), record(3, 3.5, minute=9).model_copy(update={"cut_short": True})
    assert merged([results(cut_short), results(whole)])[0].problems == (whole,)


def test_what_could_not_be_judged_gives_way_to_what_could() -> None:
    judged, failed = record(3, 2.5, minute=1), record(3, 1.0, minute=9).model_copy(update={"failure": "no memory"})
    assert merged([results(failed), results(judged)])[0].problems == (judged,)
    short = judged.model_copy(update={"cut_short": True})
    assert merged([results(failed), results(short)])[0].problems == (short,)


def test_records_of_two_devices_stand_side_by_side() -> None:
    found, replaced = merged([results(record(1, 3.0)), results(record(1, 5.0), heads=(head(name="H200"),))])
    assert replaced == ()
    assert {found.heads[r.head].device.name: r.speedups["eager"].median for r in found.problems} == {
        "H100": 3.0,
        "H200": 5.0,
    }


def test_sittings_are_counted_once() -> None:
    early, late = sitting(1, problems=2, wall=60.0), sitting(1, problems=5, wall=200.0)
    copies = [results(record(1, None), heads=(head(sittings=(s,)),)) for s in (early, late)]
    for order in permutations([*copies, results(record(2, None), heads=(head(sittings=(sitting(4),)),))]):
        assert merged(list(order))[0].heads[0].sittings == (late, sitting(4))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (head(budget=Budget(seconds=90.0), name="H200"), ("budget", "60.0", "90.0", "H100", "H200")),
        (head(precision=Precision.GIMLET), ("precision", "strict", "gimlet", "correct")),
        (head(authors=("inductor",), torch="2.13.0"), ("authors", "rewriter", "inductor", "2.11.0", "2.13.0")),
    ],
)
def test_what_cannot_be_compared_is_refused(other: Head, said: tuple[str, ...]) -> None:
    a, b = results(record(1, None)), results(record(2, None), heads=(other,))
    for pair in ([a, b], [b, a]):
        with pytest.raises(SuiteError) as raised:
            merged(pair)
        assert "\n" not in str(raised.value)
        assert all(word in str(raised.value) for word in said)


def test_other_settings_from_one_place_are_taken() -> None:
    found, _ = merged([results(record(1, 3.0)), results(record(2, 3.0), heads=(head(budget=Budget(attempts=5)),))])
    assert len(found.heads) == 2
    assert {r.head for r in found.problems} == {0, 1}


def test_a_merged_file_is_gone_on_with_in_any_of_its_settings_and_in_no_other() -> None:
    five, nine = (head(budget=Budget(attempts=n)) for n in (5, 9))
    both, _ = merged([results(record(1, 3.0)), results(record(2, 3.0), heads=(five,))])
    begun, place = heads.begin(both, five, sitting(3))
    assert begun.heads[place].settings == five.settings and len(begun.heads) == 2
    assert len(begun.heads[place].sittings) == len(both.heads[place].sittings) + 1
    assert begun.problems == both.problems
    for other, said in ((nine, "budget"), (head(torch="2.13.0"), "2.13.0")):
        with pytest.raises(SuiteError, match=said):
            heads.begin(both, other, sitting(3))


def test_a_file_is_read_back_and_what_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = results(record(1, 3.0), record(2, None, failure="gone"))
    path = tmp_path / "new" / "r.json"
    file.write(path, whole)
    assert file.read(path) == whole
    assert list(path.parent.iterdir()) == [path]
    bad = {
        "gone.json": None,
        "text.json": "{",
        "other.json": '{"schema": "kernelwright.optimize/1", "heads": []}',
        "head.json": path.read_text().replace('"head": 0', '"head": 7'),
    }
    for name, text in bad.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(SuiteError) as raised:
            file.read(tmp_path / name)
        assert str(tmp_path / name) in str(raised.value)
        assert "\n" not in str(raised.value)
