"""The sandbox: what a candidate's process can reach, and that whatever it does ends nothing but itself."""

import errno
import os
import platform
import re
import sys
import textwrap
from pathlib import Path

import pytest

from kernelwright.judge.findings import Stopped
from kernelwright.judge.isolation import NoSandbox, choose, describe, seatbelt, trial
from kernelwright.judge.nursery import Nursery
from kernelwright.judge.worker import seccomp
from kernelwright.schema import IsolationLayer, Status

pytestmark = pytest.mark.skipif(isinstance(choose(), NoSandbox), reason="nothing isolates candidates on this machine")


@pytest.fixture(scope="module")
def nursery():
    with Nursery(choose(), "cpu") as nursery:
        yield nursery


def run(nursery, source, time_limit=20.0):
    """Import ``source`` as a candidate; its reply, what it printed, or the finding that ended it."""
    worker = nursery.spawn(memory_limit=1 << 30, process_limit=100, time_limit=time_limit)
    try:
        reply = worker.ask("load", source=textwrap.dedent(source) + "\nModelNew = 1\n", name="sample", seed=1)
        return reply, worker.printed()
    except Stopped as stopped:
        return stopped.finding, ""
    finally:
        worker.close()


def test_describe_names_the_fix_where_isolation_is_missing():
    for support in describe():
        assert support.available or support.fix or support.detail


def test_a_candidate_sees_nothing_of_the_home_directory_or_environment(nursery, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-the-user")
    source = "import os, tempfile; print(os.environ, os.path.expanduser('~'), os.listdir(tempfile.gettempdir()))"
    reply, printed = run(nursery, source)
    assert "error" not in reply
    assert "secret-of-the-user" not in printed and "OPENAI_API_KEY" not in printed
    assert os.environ["HOME"] not in printed.split() and "['sample.py']" in printed


def test_only_what_ends_with_a_candidate_can_be_written_to(nursery):
    """Every directory that is no part of the system's own, and every mount: the sandbox's own root is one of them."""
    source = """
        import os, tempfile
        mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
        places = {"/", "/dev", "/etc", "/run", "/root", "/var", "/home", *mounts}
        places |= {os.path.dirname(place) for place in mounts}
        own = {tempfile.gettempdir(), "/dev/shm"}
        own |= {place for place in places if place == "/proc" or place.startswith("/proc/")}
        own |= {"/dev/pts"}  # holds terminals, and takes no files
        print("writable:", sorted(p for p in places - own if os.path.isdir(p) and os.access(p, os.W_OK)))
        for place in ("/etc", "/dev", "/"):
            try:
                open(os.path.join(place, "ld.so.preload"), "w")
            except OSError as error:
                print(place, type(error).__name__, error.errno)
    """
    reply, printed = run(nursery, source)
    assert "error" not in reply
    assert "writable: []" in printed
    assert printed.count(f"OSError {errno.EROFS}") == 3


def test_nothing_survives_from_one_candidate_to_the_next(nursery):
    places = "import os, tempfile; places = [tempfile.gettempdir(), '/dev/shm']; "
    reply, _ = run(nursery, places + "[open(p + '/left', 'w').write('x') for p in places]")
    assert "error" not in reply
    _, printed = run(nursery, places + "print([os.listdir(p) for p in places])")
    assert "left" not in printed


@pytest.mark.parametrize(
    "source",
    [
        "import socket; socket.create_connection(('127.0.0.1', 22), timeout=2)",
        "open('/usr/kernelwright-was-here', 'w')",
        "import kernelwright; open(kernelwright.__file__, 'a')",
        "open('/proc/1/mem', 'rb+')",
        "open('/proc/1/environ', 'rb')",
        "open('/proc/sys/vm/drop_caches', 'w')",
        "open('/etc/shadow')",
    ],
)
def test_reaching_out_is_refused(nursery, source):
    reply, _ = run(nursery, source)
    assert "error" in reply


def test_files_of_the_user_are_not_there(nursery, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    reply, _ = run(nursery, f"open({str(tmp_path / 'secret.txt')!r})")
    assert reply["error"]["type"] == "FileNotFoundError"


def test_no_process_but_its_own_can_be_seen(nursery):
    _, printed = run(nursery, "import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))")
    assert printed.strip() == "[1, 2]"
    _, printed = run(nursery, "import os; print(os.listdir('/run/whole-proc'))")
    assert printed.strip() == "[]"


def test_no_capability_is_left(nursery):
    _, printed = run(
        nursery, "print([l for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )
    assert printed.count("0000000000000000") == 2 and "NoNewPrivs:\\t1" in printed


@pytest.mark.parametrize(
    ("source", "status", "rule"),
    [
        ("import os; os._exit(0)", Status.CRASHED, "process_ended"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Status.CRASHED, "process_ended"),
        ("import os; [os.kill(-1, 9) for _ in range(1)]", None, None),
        ("import ctypes; ctypes.string_at(0)", Status.CRASHED, "process_ended"),
        ("x = []\nwhile True: x.append(bytearray(1 << 24))", Status.OUT_OF_MEMORY, "memory_limit"),
        (
            "import os, time\nfor _ in range(300):\n    if os.fork() == 0:\n        time.sleep(60)",
            Status.REJECTED,
            "process_limit",
        ),
        (
            "import os\nfor fd in range(3, 40):\n    try: os.write(fd, b'{\"status\": 1}')\n    except OSError: pass",
            Status.REJECTED,
            "protocol",
        ),
    ],
)  # fmt: skip
def test_harm_ends_the_candidate_alone(nursery, source, status, rule):
    found, _ = run(nursery, source)
    if status is not None:
        assert (found.status, found.rule) == (status, rule)
    after, printed = run(nursery, "print('still here')")
    assert "error" not in after and "still here" in printed


def test_a_hang_ends_at_the_time_limit(nursery):
    found, _ = run(nursery, "while True: pass", time_limit=1.5)
    assert (found.status, found.rule) == (Status.TIMED_OUT, "time_limit")


def test_a_flood_of_prints_keeps_its_end_only(nursery):
    _, printed = run(nursery, "for i in range(100_000): print('flood', i)")
    assert "flood 99999" in printed and len(printed) <= 20_000


def test_without_a_sandbox_trusted_code_runs_in_a_directory_that_is_removed():
    with Nursery(NoSandbox(), "cpu") as nursery:
        worker = nursery.spawn(memory_limit=1 << 30, process_limit=100, time_limit=20)
        worker.ask("load", source="import os; print(os.getcwd()); ModelNew = 1", name="sample", seed=1)
        directory = worker.printed().strip()
        assert Path(directory).is_dir()
        worker.close()
        assert not Path(directory).exists()


def test_a_process_that_was_forked_ahead_and_died_is_replaced():
    with Nursery(choose(), "cpu") as nursery:
        assert "error" not in run(nursery, "pass")[0]
        for number in range(1, 4):  # whichever is waiting now
            nursery.call({"op": "kill", "cell": number})
        assert "error" not in run(nursery, "pass")[0]


def test_other_bounds_get_a_process_of_their_own():
    with Nursery(choose(), "cpu") as nursery:
        run(nursery, "pass")
        bound = "import resource; print(resource.getrlimit(resource.RLIMIT_CPU)[0])"
        assert [run(nursery, bound, limit)[1].strip() for limit in (5.0, 5.0, 9.0)] == ["380", "380", "636"]


def test_the_kernel_refuses_what_no_kernel_of_numbers_needs(nursery):
    source = f"""
    import ctypes, platform
    libc = ctypes.CDLL(None, use_errno=True)
    column = {{"x86_64": 0, "aarch64": 1}}[platform.machine()]
    for name, numbers in {seccomp.REFUSED!r}.items():
        if numbers[column] is not None:
            ctypes.set_errno(0)
            result = libc.syscall(numbers[column], 0, 0, 0, 0, 0, 0)
            print(name, result, ctypes.get_errno())
    """
    reply, printed = run(nursery, source)
    assert "error" not in reply
    said = [line.split() for line in printed.splitlines()]
    assert len(said) > 40
    assert [line for line in said if line[1:] != ["-1", str(errno.EPERM)]] == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("libc.unshare(0x10000000)", errno.EPERM),
        ("libc.syscall({'x86_64': 56, 'aarch64': 220}[machine], 0x10000011, 0, 0, 0, 0)", errno.EPERM),
        ("libc.syscall(435, 0, 0)", errno.ENOSYS),
        ("libc.socket(16, 3, 0)", errno.EAFNOSUPPORT),
        ("libc.socket(17, 3, 0)", errno.EAFNOSUPPORT),
        ("libc.ioctl(0, 0x5412, b'x')", errno.EPERM),
        ("libc.personality(0x0040000)", errno.EPERM),
    ],
)
def test_arguments_of_system_calls_are_read(nursery, source, code):
    head = "import ctypes, platform; machine = platform.machine(); libc = ctypes.CDLL(None, use_errno=True); "
    _, printed = run(nursery, f"{head}print({source}, ctypes.get_errno())")
    assert printed.split() == ["-1", str(code)]


def test_what_candidates_need_is_not_refused(nursery):
    source = """
    import os, socket, subprocess, tempfile, threading
    a, b = socket.socketpair(); a.send(b"x")
    assert b.recv(1) == b"x"
    socket.socket(socket.AF_INET).close()
    assert subprocess.run(["gcc", "--version"], capture_output=True).returncode == 0
    thread = threading.Thread(target=print, args=("from a thread",)); thread.start(); thread.join()
    pid = os.fork()
    if not pid: os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.memfd_create("x")
    """
    reply, printed = run(nursery, source)
    assert "error" not in reply, reply
    assert "from a thread" in printed


def test_another_architectures_system_calls_end_the_process(nursery):
    if platform.machine() != "x86_64":
        pytest.skip("int 0x80 is x86")
    source = """
    import ctypes, mmap
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    print(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    """
    finding, _ = run(nursery, source)
    assert finding.status is Status.CRASHED


def test_numbers_of_system_calls_are_those_of_this_system():
    """The C library's headers know them, where they are installed."""
    header = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}
    columns = {"x86_64": 0, "aarch64": 1}
    checked = 0
    for machine, path in header.items():
        if not (Path("/usr/include") / path).exists():
            continue
        known = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", (Path("/usr/include") / path).read_text()))
        mine = {name: numbers[columns[machine]] for name, numbers in seccomp.REFUSED.items()}
        fields = seccomp.MACHINES[machine]
        mine |= {
            name: getattr(fields, name) for name in ("clone3", "clone", "socket", "ioctl", "personality", "seccomp")
        }
        for name, number in mine.items():
            assert number is None or name not in known or int(known[name]) == number, (machine, name)
            checked += name in known
    assert checked or not any((Path("/usr/include") / path).exists() for path in header.values())


def test_layers_are_named_and_tried(nursery):
    nursery.await_ready()
    held, refused = trial.layers(choose())
    assert set(held) == set(nursery.layers) == set(IsolationLayer)
    assert refused == ""


def test_no_sandbox_still_has_what_needs_none():
    with Nursery(NoSandbox(), "cpu") as nursery:
        nursery.await_ready()
        missing = {IsolationLayer.NETWORK, IsolationLayer.FILES, IsolationLayer.ENVIRONMENT, IsolationLayer.NAMESPACES}
        assert set(nursery.layers) == set(IsolationLayer) - missing


def test_the_profile_for_macos_lists_this_interpreter_and_keeps_the_gpu_for_those_who_need_it():
    without, with_gpu = seatbelt.profile(gpu=False), seatbelt.profile(gpu=True)
    for text in (without, with_gpu):
        assert text.count("(") == text.count(")")
        assert "(deny default)" in text and "(deny network*)" in text
        assert '(subpath "/Users")' not in text and "(allow file-read*)" not in text
        assert f'(allow file-read* (subpath "{Path(sys.prefix)}"))' in text
    assert "iokit-open" in with_gpu and "iokit-open" not in without
    assert "mach-lookup" in with_gpu and "mach-lookup" not in without
