"""What the judge believes of a candidate's time stamps."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge.conduct import ALLOWANCES, ENOUGH_SHORT, Conduct
from kernelwright.judge.findings import Stopped
from kernelwright.judge.timing import VOUCHED

times = st.floats(0.01, 100.0)


@given(st.integers(1, 1000), times, times, st.integers(1, 30))
def test_a_candidate_that_spends_what_a_baseline_spends_is_believed(calls, stamped, unstamped, rounds):
    conduct = Conduct()
    for _ in range(rounds):
        conduct.saw_block(calls, stamped, unstamped, unstamped / calls)
        conduct.saw_hand_over(4, 2.0, 2.0, stamped / calls)
    conduct.saw_background(0.0, 1.0)
    conduct.judge()


@given(st.integers(1, 200), times, st.floats(1.2, 50.0))
def test_hidden_time_is_found_however_long_the_block(calls, honest_ms, factor):
    """Stamps claim ``1 / factor`` of the time that passed."""
    conduct = Conduct()
    passed = 60.0 + honest_ms
    stamped = passed / factor
    for _ in range(8):
        conduct.saw_block(calls, stamped, passed - stamped, 0.001)
    with pytest.raises(Stopped) as stopped:
        conduct.judge()
    assert stopped.value.finding.rule == "clock_disagreement"


def test_a_quarter_of_bad_blocks_is_bad_luck():
    conduct = Conduct()
    for k in range(12):
        conduct.saw_block(10, 60.0, 30.0 if k % 4 == 0 else 0.5, 0.05)
    conduct.judge()


def test_work_that_waits_for_somebody_to_look_is_found_at_the_hand_over():
    conduct = Conduct()
    for _ in range(6):
        conduct.saw_block(10, 5.0, 0.2, 0.02)
        conduct.saw_hand_over(8, mine=6.0, baseline=0.5, per_call=0.5)
    with pytest.raises(Stopped) as stopped:
        conduct.judge()
    assert stopped.value.finding.rule == "deferred_work"


def test_a_busy_machine_hides_no_work_at_the_hand_over():
    """Others hold up the baseline's hand-over in every other look, and the candidate's as often."""
    honest, cheat = Conduct(), Conduct()
    for look in range(10):
        disturbed = 12.0 * (look % 2)
        for conduct, work in ((honest, 0.0), (cheat, 4.0)):
            conduct.saw_block(10, 5.0, 0.2, 0.02)
            held_up = 12.0 * ((look + 1) % 2)
            conduct.saw_hand_over(4, mine=0.5 + work + held_up, baseline=0.5 + disturbed, per_call=0.1)
    honest.judge()
    with pytest.raises(Stopped) as stopped:
        cheat.judge()
    assert stopped.value.finding.rule == "deferred_work"


def test_work_in_the_background_is_found():
    conduct = Conduct()
    conduct.saw_background(0.6, 1.0)
    with pytest.raises(Stopped) as stopped:
        conduct.judge()
    assert stopped.value.finding.rule == "background_work"


def test_recording_events_may_cost_a_little_for_each_call_and_a_hidden_kernel_may_not():
    honest, cheat = Conduct(ALLOWANCES["cuda"]), Conduct(ALLOWANCES["cuda"])
    for _ in range(8):  # 500 calls of 20 µs; a flush and a wait of 70 µs around each
        honest.saw_block(500, 10.0, 500 * 0.075, 0.070)
        cheat.saw_block(500, 2.0, 500 * 0.090, 0.070)
    honest.judge()
    with pytest.raises(Stopped):
        cheat.judge()


def blocks(conduct, seed, rounds, hidden_ms):
    """One call of 2 ms in each, on a GPU beside work that holds up either side by up to 2 ms."""
    noise = random.Random(seed)
    for _ in range(rounds):
        conduct.saw_block(1, 2.0, 0.2 + hidden_ms + noise.uniform(0, 2), 0.2 + noise.uniform(0, 2))


def test_bad_luck_in_a_few_short_blocks_asks_for_more_of_them():
    unlucky = []
    for seed in range(400):
        conduct = Conduct(ALLOWANCES["cuda"])
        blocks(conduct, seed, 8, 0.0)
        conduct.judge()
        if conduct.unsettled:
            unlucky.append(seed)
            blocks(conduct, -seed, ENOUGH_SHORT - 8, 0.0)
            conduct.judge()
            assert not conduct.unsettled
    assert unlucky, "noise like this has cost honest candidates their verdict"


def test_time_that_is_hidden_in_short_blocks_is_found_in_more_of_them():
    found = 0
    for seed in range(100):
        conduct = Conduct(ALLOWANCES["cuda"])
        blocks(conduct, seed, 8, 2.0)
        blocks(conduct, -seed, ENOUGH_SHORT - 8, 2.0)
        try:
            conduct.judge()
        except Stopped as stopped:
            found += 1
            assert "ms a block more than a baseline's in 32 blocks" in stopped.finding.feedback
    assert found > 95


def test_of_a_built_in_author_bits_beside_the_stamps_are_no_matter_and_a_call_that_nobody_waited_for_is():
    vouched = replace(ALLOWANCES["cuda"], share=VOUCHED.hidden)
    stranger, slow, left = Conduct(ALLOWANCES["cuda"]), Conduct(vouched), Conduct(vouched)
    for _ in range(12):
        stranger.saw_block(4, 4.0, 0.4 + 1.7, 0.1)
        slow.saw_block(4, 4.0, 0.4 + 1.7, 0.1)
        left.saw_block(4, 0.1, 0.4 + 4.0, 0.1)
    slow.judge()
    for cheat in (stranger, left):
        with pytest.raises(Stopped) as stopped:
            cheat.judge()
        assert stopped.value.finding.rule == "clock_disagreement"


def test_who_leaves_no_time_for_more_blocks_is_judged_by_those_there_are():
    conduct = Conduct(ALLOWANCES["cuda"])
    blocks(conduct, 1, 8, 2.0)
    conduct.judge()
    assert conduct.unsettled
    conduct.out_of_time = True
    with pytest.raises(Stopped) as stopped:
        conduct.judge()
    assert stopped.value.finding.rule == "clock_disagreement"


def test_one_block_on_a_busy_machine_proves_little_and_a_cheat_is_found_in_it_all_the_same():
    busy, cheat = Conduct(), Conduct()
    busy.saw_block(190, stamped=44.0, unstamped=13.0, baseline_per_call=3.4 / 190)  # seen beside other work: 2.4
    busy.judge()
    cheat.saw_block(190, stamped=1.0, unstamped=57.0, baseline_per_call=3.4 / 190)
    with pytest.raises(Stopped) as stopped:
        cheat.judge()
    assert stopped.value.finding.rule == "clock_disagreement"
