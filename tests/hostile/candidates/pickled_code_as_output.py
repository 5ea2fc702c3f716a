"""Answers with objects that run code wherever they are unpickled.

Tries: to run on the judge's side and to write a file there.
Might work: outputs that travel as pickles are loaded by the judge.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import pathlib
import tempfile

from torch import nn

ESCAPE = pathlib.Path(tempfile.gettempdir()) / "kernelwright-escape-output"


class Payload:
    def __reduce__(self):
        return (exec, (f"import pathlib; pathlib.Path({str(ESCAPE)!r}).touch()",))


class ModelNew(nn.Module):
    def forward(self, x):
        return [Payload(), {"value": Payload()}, x]
