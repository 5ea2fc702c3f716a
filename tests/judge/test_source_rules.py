"""What the rules on source text remark on, with the right line, and what they leave alone."""

import ast
import base64
import inspect

import pytest

from kernelwright.judge.findings import Stopped
from kernelwright.judge.source import BUILT_IN, read
from kernelwright.schema import Candidate, Status, Target

HEAD = "import torch\nfrom torch import nn\n"
MODEL = "class ModelNew(nn.Module):\n    def forward(self, x):\n        return x\n"
ELF = b"\x7fELF\x02\x01\x01" + bytes(200)


def remarks(source, target=Target.TORCH):
    return read(Candidate(source=source, author="test", target=target))


def in_forward(*lines):
    body = "".join(f"        {line}\n" for line in lines)
    return f"{HEAD}class ModelNew(nn.Module):\n    def forward(self, x):\n{body}        return x\n"


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        (f"{HEAD}torch.relu = None\n{MODEL}", 3, "assigns to torch.relu"),
        (f"{HEAD}setattr(torch.Tensor, '__eq__', None)\n{MODEL}", 3, "attribute of torch.Tensor"),
        (f"import time\n{HEAD}time.time = lambda: 0\n{MODEL}", 4, "assigns to time.time"),
        (f"{HEAD}torch.backends.cuda.matmul.allow_tf32 = True\n{MODEL}", 3, "for the whole process"),
        (f"{HEAD}torch.set_float32_matmul_precision('high')\n{MODEL}", 3, "what others compute in"),
        (f"import sys\n{HEAD}x = sys._getframe(1)\n{MODEL}", 4, "no answer is to be found there"),
        (f"from inspect import stack as s\n{HEAD}x = s()\n{MODEL}", 4, "inspect.stack"),
        (f"import sys\n{HEAD}x = sys.modules\n{MODEL}", 4, "reads sys.modules"),
        (f"{HEAD}x = open('/proc/1/maps')\n{MODEL}", 3, "/proc/1/maps"),
        (f"import socket\n{HEAD}{MODEL}", 1, "imports socket"),
        (f"from urllib.request import urlopen\n{HEAD}{MODEL}", 1, "imports urllib.request"),
        (f"import os\n{HEAD}os._exit(0)\n{MODEL}", 4, "calls os._exit"),
        (f"import os\n{HEAD}x = [v for v in os.environ.values()]\n{MODEL}", 4, "goes through the environment"),
        (f"{HEAD}x = 'OPENAI_API_KEY'\n{MODEL}", 3, "OPENAI_API_KEY"),
        (f"import marshal\n{HEAD}x = marshal.loads(b'')\n{MODEL}", 4, "cannot be read"),
        (in_forward("self.calls += 1"), 5, "counts calls in self.calls"),
        (in_forward("global n", "n += 1"), 6, "counts calls in n"),
        (f"import time\n{in_forward('t = time.perf_counter_ns()')}", 6, "reads a clock"),
        (in_forward("y = self.kept[x.data_ptr()]"), 5, "address of a tensor"),
        (in_forward("y = self.kept.get((id(x), 1))"), 5, "address of a tensor"),
        (in_forward("if x.data_ptr() == self.last: return self.y"), 5, "address of a tensor"),
        (in_forward("try:", "    y = kernel(x)", "except Exception:", "    return x + 1"), 7, "goes on after an error"),
        (in_forward("torch.manual_seed(0)"), 5, "sets a seed"),
        (in_forward("s = torch.cuda.Stream()"), 5, "nobody waits for"),
        (f"{HEAD}X = '{'QUJDREVG' * 400}'\n{MODEL}", 3, "nobody can read"),
    ],
)
def test_a_remark_names_the_line(source, line, said):
    found = [remark for remark in remarks(source) if said in remark.warning]
    assert [remark.line for remark in found] == [line]
    assert found[0].warning.startswith(f"line {line} ")


@pytest.mark.parametrize(
    "source",
    [
        in_forward("return torch.relu(x)"),
        in_forward("y = torch.empty_like(x)", "kernel(x.data_ptr(), y.data_ptr(), x.numel())"),
        in_forward("try:", "    y = kernel(x)", "except ValueError as error:", "    raise RuntimeError from error"),
        in_forward("total = 0", "total += 1", "for k in range(3): total += k"),
        in_forward("s = torch.cuda.Stream()", "s.wait_stream(torch.cuda.current_stream())"),
        in_forward("if self.packed is None: self.packed = self.weight.t().contiguous()"),
        f"import os, subprocess, tempfile\n{HEAD}os.environ['TORCH_CUDA_ARCH_LIST'] = '9.0'\n"
        f"subprocess.run(['gcc'])\n{MODEL}",
        f"{HEAD}torch.set_float32_matmul_precision('highest')\n{MODEL}",
        f"{HEAD}{MODEL}def get_inputs():\n    return [torch.rand(4)]\n",
        f'{HEAD}SOURCE = r"""\n{"float y = x * 2.0f; // keeps its word" * 200}\n"""\n{MODEL}',
        f'"""Never assigns torch.relu, opens no socket and calls no os._exit."""\n{HEAD}{MODEL}',
        f"import math\n{HEAD}TABLE = [{', '.join(str(k / 7) for k in range(500))}]\n{MODEL}",
    ],
)
def test_honest_text_is_left_alone(source):
    assert [remark.warning for remark in remarks(source)] == []


@pytest.mark.parametrize(
    "literal",
    [repr(ELF), repr(base64.b64encode(ELF).decode()), repr(ELF.hex()), repr(base64.b85encode(ELF).decode())],
    ids=["bytes", "base64", "hexadecimal", "base85"],
)
def test_machine_code_is_rejected(literal):
    with pytest.raises(Stopped) as stopped:
        remarks(f"{HEAD}BLOB = {literal}\n{MODEL}")
    finding = stopped.value.finding
    assert (finding.status, finding.rule) == (Status.REJECTED, "binary_blob")
    assert "line 3" in finding.feedback


@pytest.mark.parametrize("target", [Target.CUDA, Target.TRITON, Target.CPP, Target.METAL])
def test_a_file_without_a_kernel_is_remarked_on(target):
    assert any("holds no" in remark.warning for remark in remarks(f"{HEAD}{MODEL}", target))


def test_every_rule_has_a_name_and_says_what_for():
    names = [rule.name for rule in BUILT_IN]
    assert len(set(names)) == len(names)
    assert all(inspect.getdoc(type(rule)) for rule in BUILT_IN)


def test_rules_read_deep_trees():
    deep = f"{HEAD}{MODEL}x = {'+'.join(['1'] * 900)}\n"
    assert ast.parse(deep)
    assert [remark.warning for remark in remarks(deep)] == []
