"""A seccomp filter: what the kernel refuses a candidate, whatever namespaces it sits in.

Kernels are computed with memory, threads, files and the GPU's ioctl(2). Everything else that the kernel offers is where
its own bugs are found, so that is refused with EPERM: debugging other processes, mounts and namespaces, keys, BPF,
performance events, io_uring, modules, clocks, old file handles. New ways to make processes answer ENOSYS, so that the
C library falls back to clone(2), whose flags the filter can read. The list is what container runtimes withhold by
default (Docker's and Podman's default profile), as a list of refusals: compilers and GPU drivers need too much for a
short list of permissions. Sources: seccomp(2), bpf(4), the kernel's ``Documentation/userspace-api/seccomp_filter.rst``.

Speculation stays as it is in every other process (``SECCOMP_FILTER_FLAG_SPEC_ALLOW``): a filter that slowed candidates
down would be unfair to them.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "move_pages": (279, 239), "perf_event_open": (298, 241),
    # mounts, namespaces, file handles
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
    # keys, programs inside the kernel, modules
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    # the machine: its clock, name, power, logs, ports
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "reboot": (169, 142), "acct": (163, 89),
    "syslog": (103, 116), "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    # left over from older kernels
    "uselib": (134, None), "ustat": (136, None), "sysfs": (139, None), "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}  # fmt: skip
"""System calls that answer EPERM, with their numbers on x86-64 and on aarch64 (``None``: not there)."""

_NEW_NAMESPACES = 0x7E020000
"""Flags of clone(2) that make namespaces: mount, cgroup, UTS, IPC, user, PID, network."""
_SOCKETS = (1, 2, 10)
"""Address families that may be opened: UNIX, IPv4, IPv6. The network namespace has no network in it."""
_INPUT_FAKED = (0x5412, 0x541C)
"""Requests of ioctl(2) that type on the terminal: TIOCSTI and TIOCLINUX."""
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_X32 = 0x40000000
"""Numbers from here on are a second x86-64 interface to the same calls."""


@dataclass(frozen=True)
class Machine:
    """Where this architecture's system calls are found."""

    audit: int
    """``AUDIT_ARCH_…``: a process may switch to another architecture's numbers, and is killed for it."""
    column: int
    clone3: int
    clone: int
    socket: int
    ioctl: int
    personality: int
    seccomp: int


MACHINES = {
    "x86_64": Machine(0xC000003E, 0, clone3=435, clone=56, socket=41, ioctl=16, personality=135, seccomp=317),
    "aarch64": Machine(0xC00000B7, 1, clone3=435, clone=220, socket=198, ioctl=29, personality=92, seccomp=277),
}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """``struct sock_filter``: jumps count instructions to skip."""
    return struct.pack("=HBBI", code, yes, no, value)


def _answer(code: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | code)


def _where(number: int, argument: int, rest: list[bytes]) -> list[bytes]:
    """For one system call: ``rest`` with the low half of an argument loaded, then the number again."""
    tail = [_instruction(_LOAD, _NUMBER)]
    return [
        _instruction(_EQUAL, number, 0, 1 + len(rest) + len(tail)),
        _instruction(_LOAD, _ARGUMENTS + 8 * argument),
        *rest,
        *tail,
    ]


def _only(values: tuple[int, ...], code: int) -> list[bytes]:
    """Go on if what was loaded is one of these, else answer ``code``."""
    jumps = [_instruction(_EQUAL, value, len(values) - place) for place, value in enumerate(values)]
    return [*jumps, _answer(code)]


def _none_of(values: tuple[int, ...]) -> list[bytes]:
    return [part for value in values for part in (_instruction(_EQUAL, value, 0, 1), _answer(errno.EPERM))]


def _instructions(machine: Machine) -> Iterator[bytes]:
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_EQUAL, machine.audit, 1, 0)
    yield _instruction(_RETURN, _KILL_PROCESS)
    yield _instruction(_LOAD, _NUMBER)
    yield from (_instruction(_AT_LEAST, _X32, 0, 1), _answer(errno.ENOSYS))
    for numbers in REFUSED.values():
        if (number := numbers[machine.column]) is not None:
            yield from (_instruction(_EQUAL, number, 0, 1), _answer(errno.EPERM))
    yield from (_instruction(_EQUAL, machine.clone3, 0, 1), _answer(errno.ENOSYS))
    yield from _where(machine.clone, 0, [_instruction(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _answer(errno.EPERM)])
    yield from _where(machine.socket, 0, _only(_SOCKETS, errno.EAFNOSUPPORT))
    yield from _where(machine.ioctl, 1, _none_of(_INPUT_FAKED))
    yield from _where(machine.personality, 0, _only(_PERSONALITIES, errno.EPERM))
    yield _instruction(_RETURN, _ALLOW)


def program(machine: Machine) -> bytes:
    """The filter as the kernel takes it: 8 bytes an instruction."""
    return b"".join(_instructions(machine))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install() -> None:
    """For this process and all that it starts, for good. Needs ``no_new_privs``.

    Raises ``OSError`` where the kernel knows no filters, or where the numbers of this architecture are not known.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no system call numbers for {platform.machine()}")
    text = program(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    set_mode_filter, speculation_allowed = 1, 4
    filters = _Program(len(text) // 8, text)
    if libc.syscall(machine.seccomp, set_mode_filter, speculation_allowed, ctypes.byref(filters)) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
