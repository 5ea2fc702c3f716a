"""The author against the real judge: failures of real verdicts are handed back, and real counted work decides."""

import pytest
from model_author_kit import ScriptedModel, proposed, task, text_of

from kernelwright import platforms
from kernelwright.authors.language_model import LanguageModelAuthor
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.metal.toolchain import Toolchain
from kernelwright.schema import Attempt, Problem, Status, Target

pytestmark = pytest.mark.slow

PROBLEM = Problem(
    name="shifted",
    format="kernelbench",
    source="""import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return x * 2 + 1


def get_inputs():
    return [torch.randn(37, 64)]
""",
)
WRONG = """Reads four values at a time.

```python
import torch
from torch import nn

LIBRARY = torch.mps.compile_shader('''
kernel void shifted(device const float* x, device float* out, constant int& n, uint i [[thread_position_in_grid]]) {
  out[i] = x[i + 1] * 2 + 1;
}
''')


class ModelNew(nn.Module):
    def forward(self, x):
        x = x.contiguous()
        out = torch.empty_like(x)
        LIBRARY.shifted(x, out, x.numel(), threads=x.numel(), group_size=64, arg_casts="int32")
        return out
```
"""
MENDED = """Reads its own element.

<<<<<<< SEARCH
  out[i] = x[i + 1] * 2 + 1;
=======
  out[i] = x[i] * 2 + 1;
>>>>>>> REPLACE
"""
WASTEFUL = """Goes through device memory twice.

```diff
@@ -6,3 +6,4 @@
 kernel void shifted(device const float* x, device float* out, constant int& n, uint i [[thread_position_in_grid]]) {
-  out[i] = x[i] * 2 + 1;
+  out[i] = x[i] * 2;
+  out[i] += 1 + 0 * x[(i * 17) % n];
 }
```
"""


def test_from_a_broken_kernel_to_a_change_that_is_not_kept(toolchain: Toolchain):
    model = ScriptedModel([WRONG, MENDED, WASTEFUL, MENDED])
    author = LanguageModelAuthor(model)
    asked = task(problem=PROBLEM, target=Target.METAL, facts=platforms.get("cpu").facts())
    history: list[Attempt] = []
    with JudgeSession(PROBLEM, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        for number in range(1, 4):
            proposal = proposed(author.propose(asked, history))
            assert proposal.candidate is not None, proposal.failure
            verdict = session.judge(proposal.candidate)
            history.append(
                Attempt(
                    run="r", number=number, author=author.name, candidate=proposal.candidate, verdict=verdict,
                    created="", base=proposal.base,
                )
            )  # fmt: skip
    first, second, third = (attempt.verdict for attempt in history)
    assert (first.status, first.rule) == (Status.RUNTIME_FAILED, "metal_out_of_bounds")
    assert (second.status, third.status) == (Status.CORRECT, Status.CORRECT)
    assert [attempt.base for attempt in history] == [None, None, 2]

    feedback = model.prompts[1].messages[-1].text
    assert "**runtime_failed** (`metal_out_of_bounds`)" in feedback
    assert "out[i] = x[i + 1] * 2 + 1;" in feedback  # the line of the Metal source
    assert "Modelled at best: M1 " in model.prompts[2].messages[-1].text

    proposal = proposed(author.propose(asked, history))
    assert proposal.base == 2  # the wasteful change is undone
    prompt = text_of(model.prompts[3])
    assert "as fast as attempt 2 (by modelled time): slower, not kept." in prompt
    assert "+  out[i] += 1 + 0 * x[(i * 17) % n];" in prompt
