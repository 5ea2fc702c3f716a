"""The KernelBench format: what is accepted, what is refused and with which line."""

import inspect
import pickle
import random
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch

from kernelwright.problems import LoadedProblem, ProblemError, from_file, load

HEAD = "import torch\nfrom torch import nn\n"
MODEL = HEAD + "class Model(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
INPUTS = "def get_inputs():\n    return [torch.randn(3, 4)]\n"


def write(tmp_path: Path, source: str, name: str = "sample") -> Path:
    path = tmp_path / f"{name}.py"
    path.write_text(source)
    return path


def loaded(tmp_path: Path, source: str) -> LoadedProblem:
    return load(from_file(write(tmp_path, source)))


def test_a_file_becomes_a_value_that_loads(tmp_path: Path) -> None:
    problem = from_file(write(tmp_path, MODEL + INPUTS))
    assert (problem.name, problem.format, problem.source) == ("sample", "kernelbench", MODEL + INPUTS)
    ready = load(problem)
    assert ready.init_args() == ()
    model, (x,) = ready.build(1), ready.draw(2)
    assert not model.training
    assert torch.equal(model(x), x * 2)


def test_the_seed_decides_draws_and_weights_and_leaves_no_trace(tmp_path: Path) -> None:
    source = HEAD + (
        "import random\nimport numpy as np\n"
        "class Model(nn.Module):\n"
        "    def __init__(self, n):\n        super().__init__()\n        self.linear = nn.Linear(n, n)\n"
        "    def forward(self, x, y, z):\n        return self.linear(x) + y + z\n"
        "def get_inputs():\n    return [torch.randn(2, 3), random.random(), float(np.random.rand())]\n"
        "def get_init_inputs():\n    return [3]\n"
    )
    ready = loaded(tmp_path, source)
    before = (torch.get_rng_state(), random.getstate())
    first, again, other = ready.draw(2**63 + 5), ready.draw(2**63 + 5), ready.draw(6)
    assert torch.equal(first[0], again[0])
    assert first[1:] == again[1:]
    assert not torch.equal(first[0], other[0])
    assert first[1] != other[1]
    assert first[2] != other[2]
    weights = [ready.build(seed).state_dict()["linear.weight"] for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_inputs_of_every_kind(tmp_path: Path) -> None:
    source = MODEL.replace("x):", "x, i, b, n, pair):") + (
        "def get_inputs():\n"
        "    t = torch.randn(2)\n"
        "    return (t, torch.arange(3), torch.tensor([True]), 0.5, {'a': [t, None]})\n"
    )
    x, integers, booleans, number, nest = loaded(tmp_path, source).draw(0)
    assert (integers.dtype, booleans.dtype, number) == (torch.int64, torch.bool, 0.5)
    assert nest["a"][0] is x
    assert nest["a"][1] is None


def test_draws_are_made_on_the_device_or_moved_there(tmp_path: Path) -> None:
    source = MODEL.replace("x):", "x, y):") + (
        "on_cpu = torch.ones(2)\n"
        "def get_inputs():\n    global seen\n    x = torch.randn(2)\n    seen = x.device.type\n"
        "    return [x, [on_cpu, 3]]\n"
    )
    ready = loaded(tmp_path, source)
    x, (y, number) = ready.draw(0, "meta")
    assert (x.device.type, y.device.type, number) == ("meta", "meta", 3)
    assert sys.modules[type(ready.build(0)).__module__].seen == "meta"


def test_a_draw_that_cannot_be_made_on_the_device_is_made_on_the_cpu(tmp_path: Path) -> None:
    source = MODEL + (
        "def get_inputs():\n    x = torch.randn(2)\n"
        "    if x.device.type != 'cpu':\n        raise RuntimeError('expected all tensors on one device')\n"
        "    return [x]\n"
    )
    (x,) = loaded(tmp_path, source).draw(0, "meta")
    assert x.device.type == "meta"


INIT = (
    "class Model(nn.Module):\n    def __init__(self, a, b=5{star}):\n"
    "        super().__init__()\n        self.sizes = a\n"
)


def test_init_inputs_as_keywords_become_positional(tmp_path: Path) -> None:
    source = HEAD + INIT.format(star="") + "    def forward(self, x):\n        return x\n" + INPUTS
    ready = loaded(tmp_path, source + "def get_init_inputs():\n    return {'a': [1, 2]}\n")
    assert ready.init_args() == ([1, 2], 5)
    model = ready.build(0)
    model.sizes.append(3)
    assert ready.init_args() == ([1, 2], 5), "a constructor must not be able to change the arguments of the next"


def test_keyword_only_constructor_arguments_are_refused(tmp_path: Path) -> None:
    source = HEAD + INIT.format(star=", *, c=1") + "    def forward(self, x):\n        return x\n" + INPUTS
    ready = loaded(tmp_path, source + "def get_init_inputs():\n    return {'a': 1, 'c': 2}\n")
    with pytest.raises(ProblemError, match=r"keyword-only arguments \(c\)"):
        ready.build(0)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (HEAD, "no class Model and no function get_inputs"),
        (MODEL, "no function get_inputs"),
        (HEAD + INPUTS, "no class Model"),
        (MODEL + INPUTS + "def f(:\n", r"syntax error at line 8"),
        (MODEL + "\0" + INPUTS, "null byte"),
        (MODEL + INPUTS.replace("()", "(n, *, m)", 1), r"get_inputs at line 6 takes arguments \(n, m\)"),
        (MODEL + "async " + INPUTS, "get_inputs at line 6 is async"),
        (
            MODEL + INPUTS + "def get_init_inputs(n):\n    return []\n",
            r"get_init_inputs at line 8 takes arguments \(n\)",
        ),
        (MODEL.replace("forward", "foward") + INPUTS, "class Model at line 3 has no forward"),
        (MODEL.replace("(nn.Module)", "") + INPUTS, "class Model at line 3 is not an nn.Module"),
        (HEAD + "def Model():\n    pass\n" + INPUTS, "Model at line 3 is a function"),
        (MODEL + "class get_inputs:\n    pass\n", "get_inputs at line 6 is a class"),
    ],
)
def test_reading_names_what_is_missing_in_one_line(tmp_path: Path, source: str, line: str) -> None:
    with pytest.raises(ProblemError, match=line) as caught:
        from_file(write(tmp_path, source))
    assert "\n" not in str(caught.value)
    assert "sample.py" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (MODEL + INPUTS + "import no_such_package\n", "failed at line 8: ModuleNotFoundError: .*no_such_package"),
        (MODEL + INPUTS + "raise SystemExit(3)\n", "failed at line 8: SystemExit: 3"),
        (MODEL.replace("nn.Module", "dict") + INPUTS, "not a subclass of torch.nn.Module"),
        (
            HEAD + "class Base(nn.Module):\n    pass\nclass Model(Base):\n    pass\n" + INPUTS,
            "class Model has no forward",
        ),
        (MODEL + "get_inputs = lambda n: []\n", "get_inputs must take no arguments: missing a required argument: 'n'"),
        (MODEL + "get_inputs = 3\n", "no function get_inputs"),
    ],
)
def test_loading_names_what_is_missing_in_one_line(tmp_path: Path, source: str, line: str) -> None:
    with pytest.raises(ProblemError, match=line) as caught:
        loaded(tmp_path, source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("return 'x'", "get_inputs returned a str"),
        ("return torch.ones(2)", "get_inputs returned a Tensor"),
        ("yield 1", "get_inputs returned a generator"),
        ("raise ValueError('two\\nlines')", r"get_inputs failed at line 7: ValueError: two lines"),
        ("return [torch.randn(-1)]", "get_inputs failed at line 7: RuntimeError"),
    ],
)
def test_drawing_names_the_function_and_its_error(tmp_path: Path, body: str, line: str) -> None:
    ready = loaded(tmp_path, MODEL + f"def get_inputs():\n    {body}\n")
    with pytest.raises(ProblemError, match=line) as caught:
        ready.draw(0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("return 3", "get_init_inputs returned a int"),
        ("return [1]", "Model failed: TypeError"),
        ("return {'n': 1}", "get_init_inputs does not fit Model.__init__"),
        ("return 1 / 0", "get_init_inputs failed at line 9: ZeroDivisionError"),
    ],
)
def test_building_names_the_function_and_its_error(tmp_path: Path, body: str, line: str) -> None:
    model = MODEL.replace("    def forward", "    def __init__(self):\n        super().__init__()\n    def forward")
    inputs = INPUTS.replace("\n    ", " ")
    ready = loaded(tmp_path, model + inputs + f"def get_init_inputs(): {body}\n")
    with pytest.raises(ProblemError, match=line):
        ready.build(0)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="file not found"):
        from_file(tmp_path / "absent.py")
    with pytest.raises(ProblemError, match="is a directory"):
        from_file(tmp_path)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProblemError, match="is not Python text"):
        from_file(tmp_path / "bytes.py")


def test_names_bound_in_other_ways_count(tmp_path: Path) -> None:
    source = MODEL.replace("class Model", "class Inner") + (
        "try:\n    Model = Inner\nexcept NameError:\n    raise\nget_inputs = lambda: [torch.ones(1)]\n"
    )
    assert loaded(tmp_path, source).draw(0)[0].item() == 1.0


def test_source_is_where_tracebacks_inspect_and_pickle_look(tmp_path: Path) -> None:
    path = write(tmp_path, MODEL.replace("return x * 2", "raise RuntimeError('here')") + INPUTS)
    problem = from_file(path)
    path.unlink()
    model = load(problem).build(0)
    assert "class Model(nn.Module):" in inspect.getsource(type(model))
    with pytest.raises(RuntimeError) as caught:
        model(torch.ones(1))
    assert "raise RuntimeError('here')" in "".join(traceback.format_exception(caught.value))
    assert type(pickle.loads(pickle.dumps(model))) is type(load(problem).build(0))


def test_a_file_that_fails_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(ProblemError):
        loaded(tmp_path, MODEL + INPUTS + "raise ValueError\n")
    assert not [name for name in set(sys.modules) - before if name.startswith("kernelwright_problem_")]


def test_dynamo_captures_a_loaded_model_whole(tmp_path: Path) -> None:
    ready = loaded(tmp_path, MODEL + INPUTS)
    model, inputs = ready.build(0), ready.draw(0)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(*inputs), model(*inputs))


def test_reading_a_problem_imports_no_torch(tmp_path: Path) -> None:
    path = write(tmp_path, MODEL + INPUTS)
    code = (
        "import sys; from kernelwright.problems import from_file; "
        f"print(from_file({str(path)!r}).name, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sample", "False"]
