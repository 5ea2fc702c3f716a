"""Raises an exception that runs code wherever it is unpickled, and whose text is 16 MiB long.

Tries: to run on the judge's side, or at least to fill its log.
Might work: exceptions that cross processes are pickled; messages are copied whole.

problem: relu
expect: runtime_failed|rejected
"""

import pathlib
import tempfile

from torch import nn

ESCAPE = pathlib.Path(tempfile.gettempdir()) / "kernelwright-escape-error"


class Payload(Exception):
    def __reduce__(self):
        return (exec, (f"import pathlib; pathlib.Path({str(ESCAPE)!r}).touch()",))

    def __str__(self):
        return "correct " * (2 << 20)


class ModelNew(nn.Module):
    def forward(self, x):
        raise Payload
