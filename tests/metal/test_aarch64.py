"""Kernels and the runtime on 64-bit ARM, run by QEMU's user emulation where it and a cross compiler are installed."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cross_compiling import compile_all, compile_program, runtime_sources, toolchain_for, wheel

from kernelwright.metal.build import RUNTIME
from kernelwright.metal.dwarf_lines import LineTable
from kernelwright.metal.launch import Order, Outcome
from kernelwright.metal.reports import ReportKind
from kernelwright.metal.target import Target
from kernelwright.metal.toolchain import Toolchain

HERE = Path(__file__).parent / "aarch64"
KERNELS = (HERE / "kernels.metal").read_text()
NAMES = ("reverse", "registers", "product", "turns", "types", "past_end", "race", "divergence", "stack")
ADDRESS_SPACE = "0x200000000"  # 8 GiB: the emulator keeps a record of each page that is reserved
LINK_SECONDS = 20.0
PROCESSORS = {"oldest": (), "neoverse": ("-mcpu=neoverse-v1",)}  # without and with half arithmetic and SVE
LOCKSTEP = {"lockstep": (), "lockstep neoverse": PROCESSORS["neoverse"]}  # the others run on fibers
BUILDS = pytest.mark.parametrize("build", [*PROCESSORS, *LOCKSTEP, "checked"])
PAGES = pytest.mark.parametrize("pages", [4096, 16384, 65536])
ORDERS = pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name.lower())


@dataclass(frozen=True)
class Seen:
    """A report of the checks."""

    kind: ReportKind
    buffer: int
    line: int
    thread: int
    other_thread: int


@dataclass(frozen=True)
class Machine:
    """An emulator, and the programs for it: unchecked, by processor, and checked."""

    emulator: str
    program: dict[str, Path]

    def run(
        self,
        kernel: str,
        grid: int,
        group: int,
        *buffers: np.ndarray,
        build: str = "oldest",
        order: Order = Order.ASCENDING,
        workers: int = 0,
        pages: int = 4096,
    ) -> tuple[Outcome, list[Seen], list[np.ndarray]]:
        """What came of a launch, and the buffers after it. ``pages``: bytes of one."""
        program = self.program[build]
        files = [program.parent / f"{kernel}-{number}.bin" for number in range(len(buffers))]
        for file, buffer in zip(files, buffers, strict=True):
            file.write_bytes(buffer.tobytes())
        numbers = (NAMES.index(kernel), grid, group, int(order), int(build == "checked"), workers)
        command = [
            self.emulator,
            "-R",
            ADDRESS_SPACE,
            "-p",
            str(pages),
            str(program),
            *map(str, numbers),
            *map(str, files),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (done.returncode, done.stderr)
        outcome, *reports = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
        after = [np.frombuffer(f.read_bytes(), b.dtype) for f, b in zip(files, buffers, strict=True)]
        return Outcome(outcome[0]), [_seen(program, report) for report in reports], after


def _seen(program: Path, report: tuple[int, ...]) -> Seen:
    kind, buffer, line, place, thread, other = report
    if not line:
        found = LineTable(program).find(place, lambda file: "kw_" in file)
        line = found.line if found else 0
    return Seen(list(ReportKind)[kind], buffer, line, thread, other)


def line_of(text: str) -> int:
    """The one line of the kernels that has ``text``."""
    (number,) = (n for n, line in enumerate(KERNELS.splitlines(), 1) if text in line)
    return number


@pytest.fixture(scope="module")
def emulator() -> str:
    found = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    return found or pytest.skip("no qemu-aarch64 (on Debian: qemu-user-static)")


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    """For a C library that programs can be linked with statically, as the wheel has one: musl."""
    found = toolchain_for(Target("linux", "aarch64"), "aarch64-linux-musl")
    parts = ("aarch64-linux-musl", "generic-musl", "aarch64-linux-any", "any-linux-any")
    folders = (wheel() / "lib" / "include", *(wheel() / "lib" / "libc" / "include" / part for part in parts))
    headers = (word for folder in folders for word in ("-isystem", str(folder)))
    linker = (found.clang[0], "cc", "-target", "aarch64-linux-musl", "-static", "-O2", "-fno-sanitize=undefined")
    return replace(found, system_headers=("-nostdinc", *headers), linker=linker)


@pytest.fixture(scope="module")
def machine(emulator: str, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("aarch64")
    link([*toolchain.linker, "-x", "c", "-", "-o", str(folder / "empty")], "int main(void) { return 0; }")
    objects = compile_all(toolchain, folder, [HERE / "driver.c", *runtime_sources()])

    def linked(build: str, runtime: list[Path] = objects) -> Path:
        target = replace(toolchain.target, native=(PROCESSORS | LOCKSTEP).get(build, ()))
        compiler, driver = replace(toolchain, target=target), folder / f"driver-{build.replace(' ', '-')}"
        program = compile_program(compiler, folder, KERNELS, checked=build == "checked", lockstep=build in LOCKSTEP)
        link([*toolchain.linker, str(program), *map(str, runtime), "-o", str(driver)])
        return driver

    with ThreadPoolExecutor(4) as pool:
        builds = (*PROCESSORS, *LOCKSTEP, "checked")
        programs = dict(zip(builds, pool.map(linked, builds), strict=True))
    (parking,) = compile_all(toolchain, tmp_path_factory.mktemp("mac"), [RUNTIME / "parking.cpp"], "-U__linux__")
    others = [code for code in objects if code.name != parking.name]
    return Machine(emulator, programs | {"parks as on a Mac": linked("parks as on a Mac", [parking, *others])})


def link(command: list[str], text: str = "") -> None:
    """The first time, zig compiles the C library before it links: that takes minutes on a small machine."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=LINK_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(
            f"zig has no aarch64 C library yet; run this once: echo 'int main() {{}}' | {' '.join(command[:-1])} empty"
        )
    assert done.returncode == 0, done.stderr


def test_kernels_have_the_numbers_they_are_called_by():
    found = [line.split("(")[0].split()[-1] for line in KERNELS.splitlines() if line.startswith("kernel void")]
    assert tuple(found) == NAMES


@BUILDS
@ORDERS
@pytest.mark.parametrize("workers", [1, 5])
def test_threads_meet_at_barriers(machine: Machine, build: str, order: Order, workers: int):
    x = np.arange(16 * 100, dtype=np.int32)
    outcome, reports, (_, y) = machine.run("reverse", len(x), 100, x, 0 * x, build=build, order=order, workers=workers)
    assert (outcome, reports) == (Outcome.DONE, [])
    assert y.tolist() == (x.reshape(16, 100)[:, ::-1].ravel() + 3).tolist()


def test_workers_sleep_without_the_calls_of_linux(machine: Machine):
    x = np.arange(5000, dtype=np.int32)
    outcome, _, (_, y) = machine.run("reverse", 5000, 10, x, 0 * x, build="parks as on a Mac", workers=5)
    assert outcome is Outcome.DONE
    assert y.tolist() == (x.reshape(500, 10)[:, ::-1].ravel() + 3).tolist()


@BUILDS
@ORDERS
def test_values_outlive_a_wait(machine: Machine, build: str, order: Order):
    x = np.arange(128, dtype=np.float32) % 7
    outcome, reports, (_, y) = machine.run(
        "registers", 128, 64, x, np.zeros(3 * 128, np.float32), build=build, order=order
    )
    assert (outcome, reports) == (Outcome.DONE, [])
    sums = np.repeat(x.reshape(-1, 32).sum(1), 32) + 4 * x.reshape(-1, 2)[:, ::-1].ravel() + 6
    a, b = x[:, None] + np.arange(1, 5, dtype=np.float32), x[:, None] * np.arange(5, 9, dtype=np.float32)
    c = x[:, None] - np.arange(9, 13, dtype=np.float32)
    d = a * b
    m, n, o, p, q, r, s, t = (np.arange(128, dtype=np.uint64) * np.uint64(k) for k in (3, 5, 7, 11, 13, 17, 19, 23))
    for _ in range(4):
        a, b, c, d = a + b, b - c, c + d, d * np.float32(0.5)
        m += n
        n ^= o
        o += p
        p ^= q
        q += r
        r ^= s
        s += t
        t ^= m
    whole = (m + n + o + p + q + r + s + t) % np.uint64(65536)
    np.testing.assert_array_equal(y.reshape(-1, 3), np.stack([sums, (a + b + c + d).sum(1), whole], axis=1))


@BUILDS
def test_matrices(machine: Machine, build: str):
    a, b = (np.random.default_rng(seed).integers(-4, 5, (8, 8)).astype(np.float16) for seed in (1, 2))
    outcome, reports, (*_, c) = machine.run("product", 32, 32, a, b, np.zeros((8, 8), np.float32), build=build)
    assert (outcome, reports) == (Outcome.DONE, [])
    np.testing.assert_array_equal(c.reshape(8, 8), a.astype(np.float32) @ b.astype(np.float32) + np.eye(8))


@BUILDS
def test_atomics_that_others_wait_for(machine: Machine, build: str):
    outcome, reports, (turn, out) = machine.run(
        "turns", 64, 64, np.zeros(2, np.uint32), np.zeros(64, np.uint32), build=build
    )
    assert (outcome, reports) == (Outcome.DONE, [])
    assert (turn.tolist(), out.tolist()) == ([64, 64], list(range(63, -1, -1)))


@BUILDS
def test_types_are_metals_and_not_the_processors(machine: Machine, build: str):
    half = int((np.float16(200) / np.float16(3)).view(np.uint16))
    _, reports, (_, out) = machine.run("types", 1, 1, np.array([200, 0], np.int32), np.zeros(4, np.int32), build=build)
    assert out.tolist() == [200 - 256, 0, 200, half]
    lines = [line_of("in[0] / in[1]"), line_of("in[0] % in[1]")]
    assert [(seen.kind, seen.line) for seen in reports] == [(ReportKind.DIVISION, line) for line in lines] * (
        build == "checked"
    )


@PAGES
def test_an_access_past_the_end_is_reported_and_survived(machine: Machine, pages: int):
    outcome, reports, (out,) = machine.run("past_end", 64, 64, np.zeros(64, np.int32), build="checked", pages=pages)
    assert outcome is Outcome.DONE
    assert reports == [Seen(ReportKind.OUT_OF_BOUNDS, 0, line_of("i < 63"), 63, 0)]
    assert out.tolist() == [1] * 63 + [0]


def test_a_far_access_ends_the_launch_and_not_the_process(machine: Machine):
    assert machine.run("past_end", 64, 64, np.zeros(64, np.int32))[:2] == (Outcome.FAR_ACCESS, [])


def test_races_are_found(machine: Machine):
    _, reports, _ = machine.run("race", 64, 64, np.zeros(4, np.int32), build="checked")
    assert [(seen.kind, seen.buffer, seen.line) for seen in reports] == [
        (ReportKind.RACE, 0, line_of("out[0] = int(i)"))
    ]


def test_divergence_is_found(machine: Machine):
    outcome, reports, (out,) = machine.run("divergence", 64, 64, np.zeros(64, np.int32), build="checked")
    assert outcome is Outcome.DONE
    assert [(seen.kind, seen.line) for seen in reports] == [(ReportKind.DIVERGENCE, line_of("if (i < 40)"))]
    assert out.tolist() == [1] * 64


@PAGES
@BUILDS
def test_a_stack_that_overflows_is_stopped(machine: Machine, build: str, pages: int):
    outcome, reports, _ = machine.run("stack", 4, 4, np.full(4, 100_000, np.int32), build=build, pages=pages)
    assert outcome is Outcome.FAR_ACCESS
    assert [seen.kind for seen in reports] == [ReportKind.OUT_OF_BOUNDS] * (build == "checked")


def test_atomics_are_instructions_where_clang_finds_a_library_for_them(toolchain: Toolchain, tmp_path: Path):
    with_library = replace(toolchain, clang=(*toolchain.clang, "--rtlib=compiler-rt"))
    body = "metal::atomic_fetch_add_explicit(a, 1, metal::memory_order_relaxed);"
    source = f"#include <metal_stdlib>\nkernel void add(device metal::atomic_int* a) {{ {body} }}\n"
    program = compile_program(with_library, tmp_path, source, checked=False)
    assert b"__aarch64_" not in program.read_bytes()


def test_nothing_is_asked_of_glibc_that_its_library_does_not_export(tmp_path: Path):
    gnu = toolchain_for(Target("linux", "aarch64"), "aarch64-linux-gnu")
    (code,) = compile_all(gnu, tmp_path, [RUNTIME / "workers.cpp"])
    names = code.read_bytes().split(b"\0")
    assert b"__register_atfork" in names
    assert b"pthread_atfork" not in names  # it is in an archive that only compilers link
