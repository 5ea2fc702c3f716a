"""Remarks on ways to leave work out: state between calls, clocks, addresses, fall-backs, kernels that are not there."""

import ast
import base64
import binascii
import re
from collections.abc import Iterator

from kernelwright.judge.findings import stop
from kernelwright.judge.source.remarks import Remark
from kernelwright.judge.source.trees import calls, dotted, forwards, strings
from kernelwright.schema import Candidate, Status, Target

OPAQUE = 2048
"""Characters of base64 or hexadecimal digits that nobody writes by hand."""


class UsesTorchCompile:
    """Labels candidates that hand their work to ``torch.compile``: allowed, but the reader should know."""

    name = "uses_torch_compile"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and dotted(node) == "torch.compile":
                yield Remark(node.lineno, label=self.name)
                return


class CountsCalls:
    """Counts its own calls, or reads a clock, in ``forward``: a kernel has no use for either."""

    name = "counts_calls"
    _clocks = re.compile(r"time\.(time|perf_counter|monotonic|process_time|thread_time)(_ns)?|datetime\.\w+\.now")

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for forward in forwards(tree):
            outside = {name for node in ast.walk(forward) if isinstance(node, ast.Global) for name in node.names}
            for node in ast.walk(forward):
                if isinstance(node, ast.AugAssign) and _is_step(node.value):
                    kept = dotted(node.target).startswith("self.") or dotted(node.target) in outside
                    if kept:
                        yield Remark(node.lineno, f"line {node.lineno} counts calls in {dotted(node.target)}")
        for call, name in calls(tree):
            if self._clocks.fullmatch(name):
                yield Remark(call.lineno, f"line {call.lineno} reads a clock")


def _is_step(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


class RemembersAddresses:
    """Looks something up by the identity or address of a tensor."""

    name = "remembers_addresses"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node in ast.walk(tree):
            for key in _looked_up(node):
                if any(_is_address(part) for part in ast.walk(key)):
                    yield Remark(key.lineno, f"line {key.lineno} looks something up by the address of a tensor")


def _looked_up(node: ast.AST) -> list[ast.expr]:
    """What a subscript, a comparison or a dictionary's ``get`` and ``pop`` look for."""
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        return node.args[:1]
    return []


def _is_address(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr == "data_ptr":
        return True
    return isinstance(node.func, ast.Name) and node.func.id == "id"


class FallsBack:
    """``forward`` goes on with something else where its kernel fails: a kernel that never ran is not noticed."""

    name = "falls_back"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for forward in forwards(tree):
            for node in ast.walk(forward):
                if isinstance(node, ast.ExceptHandler) and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
                    yield Remark(node.lineno, f"line {node.lineno} goes on after an error in forward")


class Reseeds:
    """Sets a seed in ``forward``: inputs are drawn under seeds that nobody knows, and elsewhere."""

    name = "reseeds"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for call, name in calls(tree):
            if name.endswith(("manual_seed", "manual_seed_all")) or name in ("random.seed", "torch.seed"):
                yield Remark(call.lineno, f"line {call.lineno} sets a seed")


class LeavesStreams:
    """Opens a stream of its own and never waits for it."""

    name = "leaves_streams"

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        opened = [call.lineno for call, name in calls(tree) if name.endswith(("cuda.Stream", "cuda.ExternalStream"))]
        waits = any(name.endswith((".wait_stream", ".synchronize", ".wait_event")) for _, name in calls(tree))
        if opened and not waits:
            yield Remark(opened[0], f"line {opened[0]} opens a stream that nobody waits for")


class HasNoKernel:
    """A target that asks for a kernel, and no trace of one."""

    name = "has_no_kernel"
    _signs = {
        Target.CUDA: ("__global__", "triton.jit", "load_inline", "_compile_kernel", "cuLaunchKernel"),
        Target.TRITON: ("triton.jit", "jit(", "gluon"),
        Target.CPP: ("load_inline", "CDLL", "cpp_extension", "load_library"),
        Target.METAL: ("compile_shader", "load_inline"),
    }

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        signs = self._signs.get(candidate.target)
        if signs is not None and not any(sign in candidate.source for sign in signs):
            yield Remark(1, f"the file holds no {candidate.target.value} kernel (looked for {', '.join(signs)})")


class HoldsBinary:
    """Machine code in the text is rejected; a long literal that nobody can read is remarked on."""

    name = "holds_binary"
    _magic = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ\x90\x00", b"\x50\xed\x55\xba", b"MTLB")
    """ELF (shared objects, cubins), Mach-O, fat Mach-O, PE, CUDA fat binaries, Metal libraries."""
    _encoded = re.compile(r"[A-Za-z0-9+/=_\-\s]+")

    def __call__(self, tree: ast.Module, candidate: Candidate) -> Iterator[Remark]:
        del candidate
        for node, literal in strings(tree):
            for content in _readings(literal):
                if content.startswith(self._magic):
                    raise stop(
                        Status.REJECTED, "binary_blob",
                        f"line {node.lineno} holds machine code: a candidate is source text, built where it is judged",
                    )  # fmt: skip
            text = literal if isinstance(literal, str) else literal.decode("latin-1")
            if len(text) > OPAQUE and self._encoded.fullmatch(text) and _has_no_words(text):
                yield Remark(node.lineno, f"line {node.lineno} holds {len(text)} characters that nobody can read")


def _readings(literal: str | bytes) -> Iterator[bytes]:
    """The literal as bytes, and what it decodes to as base64, base85 or hexadecimal digits."""
    raw = literal if isinstance(literal, bytes) else literal.encode("latin-1", "replace")
    yield raw
    if len(raw) < 64:
        return
    for decode in (base64.b64decode, base64.b85decode, bytes.fromhex, base64.a85decode):
        try:
            yield decode("".join(raw[: 1 << 16].decode("latin-1").split()))
        except (ValueError, binascii.Error, UnicodeError):
            continue


def _has_no_words(text: str) -> bool:
    """No blank in the first thousand characters: digits of an encoding, not prose or code."""
    return len(text[:1000].split()) <= 1000 // 60
