"""Never returns from ``forward``, and ignores every signal it can.

Tries: to outlive a polite time limit.
Might work: limits that raise an exception or send SIGTERM are ignored.

problem: relu
expect: timed_out
limit: 6
"""

import signal
import time

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP, signal.SIGXCPU):
            signal.signal(number, signal.SIG_IGN)
        end = time.monotonic() + 120  # ends by itself, whatever the judge does
        while time.monotonic() < end:
            try:
                time.sleep(0.1)
            except BaseException:
                continue
        raise RuntimeError("nobody stopped me")
