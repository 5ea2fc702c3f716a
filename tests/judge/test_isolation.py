"""The sandbox: what a candidate's process can reach, and that whatever it does ends nothing but itself."""

import os
import textwrap
from pathlib import Path

import pytest

from kernelwright.judge.findings import Stopped
from kernelwright.judge.isolation import NoSandbox, choose, describe
from kernelwright.judge.nursery import Nursery
from kernelwright.schema import Status

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
