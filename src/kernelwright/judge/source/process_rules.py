"""Remarks on what a file does to the process that runs it, and on what it looks for there.

In its own process none of it changes a verdict. It tells the reader what kind of author wrote the file.
"""

import ast
from collections.abc import Iterator

from kernelwright.judge.source.remarks import Remark
from kernelwright.judge.source.trees import calls, dotted, imported_names, imports, strings
from kernelwright.schema import Candidate


class AssignsToModules:
    """Replaces an attribute of torch, of a clock, of the interpreter."""

    name = "assigns_to_modules"
    _modules = frozenset({"torch", "time", "builtins", "sys", "os", "gc", "threading"})
    _settings = ("torch.backends.", "sys.path", "torch.manual_seed", "os.environ")

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
            for target in targets:
                name = dotted(target)
                if "." in name and name.split(".")[0] in self._modules and not name.startswith(self._settings):
                    yield Remark(target.lineno, f"line {target.lineno} assigns to {name}")
        for call, name in calls(tree):
            if name in ("setattr", "delattr") and call.args and dotted(call.args[0]).split(".")[0] in self._modules:
                yield Remark(call.lineno, f"line {call.lineno} assigns to an attribute of {dotted(call.args[0])}")


class LowersPrecision:
    """Sets what the whole process computes in."""

    name = "lowers_precision"
    _setters = frozenset({"torch.set_float32_matmul_precision", "torch.set_default_dtype", "torch.autocast",
                          "torch.cuda.amp.autocast", "torch.amp.autocast"})  # fmt: skip
    _flags = ("allow_tf32", "fp32_precision", "allow_fp16_reduced_precision_reduction",
              "allow_bf16_reduced_precision_reduction")  # fmt: skip

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign):
                continue
            for name in map(dotted, node.targets):
                if name.startswith("torch.backends.") and name.endswith(self._flags):
                    yield Remark(node.lineno, f"line {node.lineno} sets {name} for the whole process")
        for call, name in calls(tree):
            if name in self._setters and not _highest(call):
                yield Remark(call.lineno, f"line {call.lineno} calls {name}: it changes what others compute in")


def _highest(call: ast.Call) -> bool:
    value = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    return value == "highest"


class LooksAround:
    """Reads the stack, the garbage collector, the interpreter's modules or ``/proc``: the answer is not there."""

    name = "looks_around"
    _calls = frozenset({"sys._getframe", "sys._current_frames", "inspect.stack", "inspect.currentframe",
                        "inspect.getouterframes", "gc.get_objects", "gc.get_referrers", "gc.get_referents",
                        "sys.settrace", "sys.setprofile"})  # fmt: skip

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for call, name in calls(tree):
            if name in self._calls:
                yield Remark(call.lineno, f"line {call.lineno} calls {name}: no answer is to be found there")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and dotted(node) == "sys.modules":
                yield Remark(node.lineno, f"line {node.lineno} reads sys.modules")
        for node, text in strings(tree):
            if isinstance(text, str) and text.startswith("/proc") and len(text) < 200:
                yield Remark(node.lineno, f"line {node.lineno} names {text}")


class ReachesOut:
    """Network, other processes, signals, the end of this one."""

    name = "reaches_out"
    _modules = frozenset({"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "multiprocessing", "signal",
                          "atexit"})  # fmt: skip
    _calls = frozenset({"os.fork", "os.forkpty", "os.kill", "os.killpg", "os._exit", "os.abort", "sys.exit"})

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for line, name in imports(tree):
            if name.split(".")[0] in self._modules:
                yield Remark(line, f"line {line} imports {name}")
        for call, name in calls(tree):
            if name in self._calls:
                yield Remark(call.lineno, f"line {call.lineno} calls {name}")


class ReadsSecrets:
    """Reads the environment as a whole, or a variable that is named like a key."""

    name = "reads_secrets"
    _like_a_key = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        bound = imported_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.For | ast.comprehension):
                where = node.iter.func if isinstance(node.iter, ast.Call) else node.iter
                name = dotted(where).replace("environ", "os.environ") if "environ" in bound else dotted(where)
                if name.startswith("os.environ"):
                    yield Remark(where.lineno, f"line {where.lineno} goes through the environment")
        for node, text in strings(tree):
            if isinstance(text, str) and text.isupper() and text.endswith(self._like_a_key):
                yield Remark(node.lineno, f"line {node.lineno} names {text}: there are no keys where it runs")


class HidesCode:
    """Runs code that is not there to be read."""

    name = "hides_code"
    _calls = frozenset({"eval", "marshal.loads", "pickle.loads", "pickle.load", "torch.load", "zlib.decompress",
                        "lzma.decompress", "bz2.decompress"})  # fmt: skip

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for call, name in calls(tree):
            if name in self._calls:
                yield Remark(call.lineno, f"line {call.lineno} calls {name}: what that makes cannot be read here")
