"""``kernelwright metal``: what it prints, and its exit codes."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from metal_programs import ADD
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from kernelwright.cli.main import app
from kernelwright.cli.metal_buffers import BufferSpec
from kernelwright.cli.metal_objects import MetalObject
from kernelwright.metal.toolchain import Toolchain

DOCS = Path(__file__).parents[2] / "docs"
BUFFERS = ("--buffer", "f32:100:ones", "--buffer", "f32:100:arange", "--buffer", "f32:100:zeros:out")
Metal = Callable[..., Result]


@pytest.fixture
def metal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Metal:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "add.metal").write_text(ADD)
    (tmp_path / "far.metal").write_text(ADD.replace("a[i] +", "a[i + 1] +"))
    (tmp_path / "broken.metal").write_text(ADD.replace("a[i] +", "a[i] + missing +"))
    return lambda *arguments: CliRunner().invoke(app, ["metal", *arguments])


def test_run(metal: Metal, toolchain: Toolchain):
    done = metal("run", "add.metal", "--kernel", "add", "--threads", "100", *BUFFERS)
    assert done.exit_code == 0, done.output
    assert "buffer 2 (f32 100): 1, 2, 3, 4, 5, 6, 7, 8, …" in done.stdout
    assert "no proof that Apple's compiler accepts it" in done.stdout


def test_run_as_json(metal: Metal, toolchain: Toolchain):
    done = metal("run", "add.metal", *BUFFERS, "--show", "2", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["schema"] == "kernelwright.metal/1"
    assert found["ok"]
    assert found["kernel"] == "add"
    (output,) = found["outputs"]
    assert output == {"buffer": 2, "dtype": "f32", "shape": [100], "smallest": 1.0, "largest": 100.0, "values": [1, 2]}


def test_check(metal: Metal, toolchain: Toolchain):
    assert metal("check", "add.metal").exit_code == 0
    assert metal("check", "add.metal", "--kernel", "add", "--threads", "100", *BUFFERS).exit_code == 0
    done = metal("check", "far.metal", "--kernel", "add", "--threads", "100", *BUFFERS, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert not found["ok"]
    assert (found["reports"][0]["kind"], found["reports"][0]["line"]) == ("out_of_bounds", 6)
    shown = metal("check", "far.metal", "--kernel", "add", "--threads", "100", *BUFFERS)
    assert shown.exit_code == 1
    assert "far.metal:6: out_of_bounds: read of 4 bytes at byte 400 of buffer 0 (a)" in shown.stdout


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_does_not_compile(metal: Metal, command: str, toolchain: Toolchain):
    done = metal(command, "broken.metal", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert found["error"] == "broken.metal does not compile"
    assert found["diagnostics"][0]["line"] == 6
    shown = metal(command, "broken.metal")
    assert shown.exit_code == 1
    assert "broken.metal:6:" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "gone.metal"], "no such Metal file"),
        (["run", "add.metal", "--kernel", "sub"], "no kernel sub: add.metal has add"),
        (["run", "add.metal", "--threads", "many"], "--threads 'many'"),
        (["run", "add.metal", "--group-size", "1,2,3,4"], "--group-size"),
        (["run", "add.metal", "--buffer", "f33:1"], "no dtype 'f33'"),
        (["run", "add.metal", "--buffer", "f32:100"], "buffer 1 (b) was not given"),
        (["run", "add.metal", *BUFFERS, "--threads", "9", "--group-size", "2000"], "exceeds 1024 limit"),
        (["check", "add.metal", "--threads", "9"], "--kernel NAME"),
        (["run", "add.metal", "--constant", "n=x"], "constant n"),
        (["run", "add.metal", "--constant", "n"], "NAME=VALUE"),
    ],
)
def test_wrong_usage(metal: Metal, arguments: list[str], said: str, toolchain: Toolchain):
    for more in ([], ["--json"]):
        done = metal(*arguments, *more)
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f32:4", torch.zeros(4)),
        ("f16:2x3:ones", torch.ones(2, 3, dtype=torch.float16)),
        ("u32:4:arange:out", torch.tensor([0, 1, 2, 3]).to(torch.uint32)),
        ("i32:=5", torch.tensor([5], dtype=torch.int32)),
        ("i64:=1,-2,0x10", torch.tensor([1, -2, 16])),
        ("f32:=1.5,inf", torch.tensor([1.5, float("inf")])),
        ("bool:=1,0", torch.tensor([True, False])),
        ("bf16:=2", torch.tensor([2.0], dtype=torch.bfloat16)),
    ],
)
def test_buffers(text: str, expected: torch.Tensor):
    made = BufferSpec.parse(text).tensor(torch.Generator())
    assert made.dtype == expected.dtype
    assert made.tolist() == expected.tolist()


def test_random_buffers_follow_the_seed():
    spec = BufferSpec.parse("f32:8:randn:out")
    first, second = (spec.tensor(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert spec.out


@pytest.mark.parametrize("text", ["f32", "f32:x", "f32:-1", "f32:4:many", "i32:4:randn", "i32:=1.5", "f32:=a", "f32:"])
def test_wrong_buffers(text: str):
    with pytest.raises(ValueError, match="buffer"):
        BufferSpec.parse(text)


def test_help_loads_nothing_heavy():
    code = "import sys\nfrom kernelwright.cli.main import main\nmain(['metal', 'run', '--help'])\n"
    code += "print([m for m in ('torch', 'numpy', 'sqlalchemy') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "--group-size" in done.stdout


def test_compiling_needs_no_torch(metal: Metal, toolchain: Toolchain):
    code = "import sys\nfrom kernelwright.cli.main import main\nmain(['metal', 'check', 'add.metal'])\n"
    code += "print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"


def _records(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _records(part)
    return found


def test_every_field_is_documented_in_order():
    documented: dict[str, list[str]] = {}
    for section in re.split(r"^###? ", (DOCS / "metal.md").read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if "| field |" in body:
            documented[title.strip()] = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    records: dict[str, Any] = _records(MetalObject)
    assert documented == {name: [f.alias or key for key, f in m.model_fields.items()] for name, m in records.items()}
