"""How many calls a block is made of when calls turn out slower than they were when they were counted."""

from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge.timing import BLOCK_MS, OVERLONG, Block, fitting


def block(calls: int, outside: float, stamped: float | None = None) -> Block:
    stamped = outside if stamped is None else stamped
    return Block(stamped / calls, stamped, outside, calls, ())


def test_a_block_that_is_a_little_late_stays_as_it_is() -> None:
    assert fitting(block(100, 5 * BLOCK_MS), 100) == 100


def test_one_that_is_far_too_long_is_cut_to_what_was_meant() -> None:
    assert fitting(block(400, 100 * BLOCK_MS), 400) == 4
    assert fitting(block(2, 100 * BLOCK_MS), 2) == 1


def test_stamps_say_nothing_about_it() -> None:
    assert fitting(block(400, 100 * BLOCK_MS, stamped=BLOCK_MS), 400) == 4


def test_a_subject_that_was_slow_once_gets_its_long_blocks_back() -> None:
    """Else a share of each short block could pass unseen, as what a message costs is allowed for every block."""
    calls = fitting(block(400, 100 * BLOCK_MS), 400)
    for _ in range(3):
        calls = fitting(block(calls, calls * BLOCK_MS / 400), 400)
    assert calls == 400


@given(st.integers(1, 1024), st.floats(1e-4, 1e6), st.integers(0, 1023))
def test_never_more_than_calibrated_and_never_none(most: int, outside: float, fewer: int) -> None:
    found = fitting(block(max(1, most - fewer), outside), most)
    assert 1 <= found <= most
    if found < most:
        assert outside > OVERLONG * BLOCK_MS or fewer or most == 1
