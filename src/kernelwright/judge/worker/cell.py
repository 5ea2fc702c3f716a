"""A cell: the fresh namespaces, limits and empty temporary directory that one candidate gets.

The warm parent already sits in bubblewrap's sandbox. A cell adds, for each candidate, its own PID namespace (it cannot
see or signal the parent, and nothing it starts outlives it), its own IPC namespace and an empty, bounded ``/tmp`` and
``/dev/shm``; then it gives up every capability, and the kernel refuses it what no kernel of numbers needs
(``seccomp.py``). Costs about ten milliseconds; the system calls are unshare(2), mount(2), prctl(2) and capset(2).
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kernelwright.judge.worker import seccomp

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_CAPABILITY_VERSION_3 = 0x20080522
_NOBODY = 65534
WHOLE_PROC = "/run/whole-proc"
"""Where the sandbox binds the machine's ``/proc``, out of every candidate's sight."""

_libc = ctypes.CDLL(None, use_errno=True)


class CellError(OSError):
    """The system did not grant a namespace; the message names the call."""


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise CellError(code, f"{call}: {os.strerror(code)}")


def protect_parent() -> None:
    """Hide the warm parent's memory from its children, and inherit their orphans."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter_namespaces(scratch_bytes: int, directory: str) -> None:
    """Leave the parent's namespaces, with an empty ``directory`` of at most ``scratch_bytes``.

    The PID namespace holds for the next child. Raises ``CellError``.
    """
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC), "unshare")
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # the maps below belong to the process only while it is dumpable
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {gid} 1")
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount private")
    options = f"size={scratch_bytes},mode=1777".encode()
    for place in (directory, "/dev/shm"):
        if Path(place).is_dir():
            result = _libc.mount(b"tmpfs", place.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options)
            _check(result, f"mount {place}")


def mount_own_proc() -> bool:
    """A ``/proc`` of the new PID namespace: CUDA looks itself up under its own process number.

    The kernel grants one only where a whole ``/proc`` is visible already, which is what ``WHOLE_PROC`` is for; that is
    covered before any candidate's code runs, and so are the parts of the new one that write to the system. Returns
    ``False`` where the kernel does not grant it. Call as process 1 of the namespace. Raises ``CellError``.
    """
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    granted = _libc.mount(b"proc", b"/proc", b"proc", flags, None) == 0
    for name in ("sys", "sysrq-trigger", "irq", "bus") if granted else ():
        place = f"/proc/{name}".encode()
        if Path(f"/proc/{name}").exists():
            _check(_libc.mount(place, place, None, _MS_BIND | _MS_REC, None), f"bind /proc/{name}")
            read_only = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags
            _check(_libc.mount(None, place, None, read_only, None), f"protect /proc/{name}")
    if Path(WHOLE_PROC).is_dir():
        cover = _libc.mount(b"tmpfs", WHOLE_PROC.encode(), b"tmpfs", _MS_RDONLY | flags, b"size=4k")
        _check(cover, f"cover {WHOLE_PROC}")
    return granted


class Granted(NamedTuple):
    """What this system lets a sandboxed process have."""

    namespaces: bool
    seccomp: bool


def tried(*, namespaces: bool) -> Granted:
    """Make a cell once, in a child, and see. ``namespaces``: whether to ask for them at all."""
    if sys.platform != "linux":
        return Granted(namespaces=False, seccomp=False)
    child = os.fork()
    if child == 0:
        found = Granted(namespaces and _does(lambda: enter_namespaces(1 << 20, "/tmp")), _does(confine))
        os._exit(found.namespaces << 1 | found.seccomp)
    answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Granted(namespaces=answer in (2, 3), seccomp=answer in (1, 3))


def _does(step: Callable[[], None]) -> bool:
    try:
        step()
    except OSError as error:
        os.write(2, f"not granted inside the sandbox: {error}\n".encode())
        return False
    return True


def confine() -> None:
    """No capability is left, no started program brings one back, and the filter of system calls holds from here on.

    Raises ``OSError`` where the kernel takes no filter; capabilities are gone then, too.
    """
    drop_privileges()
    seccomp.install()


def filter_system_calls() -> None:
    """The filter alone, where a profiler needs the capabilities that it was started with. Raises ``OSError``."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    seccomp.install()


def drop_privileges() -> None:
    """No capability is left, and no program that is started can bring one back."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def set_limits(file_bytes: int, cpu_seconds: int, tasks: int | None = None) -> None:
    """Bounds that the kernel keeps for each process; the warm parent watches the sum.

    ``tasks``: processes and threads together, all of them. The kernel counts them by user namespace (since Linux 5.14,
    getrlimit(2)), so only a cell with one of its own may have this bound.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if tasks is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        bound = tasks if hard == resource.RLIM_INFINITY else min(tasks, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (bound, bound))


def init_process(run: Callable[[], None], status_fd: int, keep_fds: frozenset[int], *, namespaces: bool) -> None:
    """Be process 1 of the new namespace: start ``run`` in a child, reap whatever ends, report that child's end.

    The candidate must not be process 1 itself: the kernel ignores fatal signals that such a process sends to itself.
    When this process ends, the kernel kills everything else in the namespace. Does not return.
    """
    if namespaces:
        mount_own_proc()
    main = os.fork()
    if main == 0:
        os.close(status_fd)
        run()
        os._exit(0)
    for fd in keep_fds:
        os.close(fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == main:
            os.write(status_fd, status.to_bytes(4, "little", signed=True))
            os._exit(0)


def die_with_parent() -> None:
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def become_ordinary() -> None:
    """The candidate's own process may read its own ``/proc/self`` again."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
