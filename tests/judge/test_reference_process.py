"""The reference's process ends with the judge."""

import os
import subprocess
import sys

from kernelwright.judge.channel import Channel


def test_it_ends_where_the_judge_was_gone_before_it_could_look() -> None:
    """The judge may be killed while the process still imports torch; its channel may be held open by a sibling."""
    ours, theirs = Channel.pair()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    numbers = map(str, (theirs.fileno(), gone.pid, theirs.fileno()))
    process = subprocess.Popen(
        [sys.executable, "-m", "kernelwright.judge.reference.server", *numbers],
        pass_fds=[theirs.fileno()], env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
        ours.close()
        theirs.close()
