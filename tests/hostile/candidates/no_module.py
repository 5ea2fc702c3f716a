"""``ModelNew`` is a function.

Tries: nothing; models often do.
Might work: it can be called like a class.

problem: relu
expect: compile_failed|runtime_failed|rejected|mismatch
"""

import torch


def ModelNew():
    return 7 if torch else None
