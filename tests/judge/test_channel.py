"""Messages between processes: whole, in order, and none left lying."""

import os

import pytest

from kernelwright.judge.channel import Channel, ChannelClosed, ChannelCorrupt, ChannelTimeout


def pair() -> tuple[Channel, Channel]:
    ours, theirs = Channel.pair()
    return ours, Channel(theirs)


def test_a_message_that_was_read_with_the_one_before_is_ready() -> None:
    ours, theirs = pair()
    assert not theirs.ready(0)
    ours.send({"op": "kill"})
    ours.send({"op": "spawn"})
    assert theirs.ready(1)
    assert theirs.receive(1) == ({"op": "kill"}, [])
    assert theirs.ready(0)
    assert theirs.receive(0) == ({"op": "spawn"}, [])
    assert not theirs.ready(0)


def test_descriptors_come_with_their_own_message() -> None:
    ours, theirs = pair()
    files = [os.memfd_create("one"), os.memfd_create("two")]
    for number, fd in enumerate(files):
        os.write(fd, str(number).encode())
        ours.send({"number": number}, (fd,))
    for number, fd in enumerate(files):
        message, (received,) = theirs.receive(1)
        assert message == {"number": number}
        assert os.pread(received, 9, 0) == str(number).encode()
        os.close(received)
        os.close(fd)


def test_the_end_of_the_other_side_is_ready_and_closed() -> None:
    ours, theirs = pair()
    ours.close()
    assert theirs.ready(0)
    with pytest.raises(ChannelClosed):
        theirs.receive(1)


def test_silence_and_nonsense_are_told_apart() -> None:
    ours, theirs = pair()
    with pytest.raises(ChannelTimeout):
        theirs.receive(0)
    os.write(ours.fileno(), b"\xff\xff\xff\xff\x00")
    with pytest.raises(ChannelCorrupt, match="impossible size"):
        theirs.receive(1)
