"""Asks the kernel for what no kernel of numbers needs: to debug, to mount, to leave its namespaces, to count, to watch.

Tries: to find one call that is granted, and answers rightly if there is one.
Might work: namespaces and capabilities leave most system calls open.

problem: relu
expect: mismatch
platform: cpu
"""

import ctypes
import os

import torch
from torch import nn

LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": {"bpf": 321, "keyctl": 250, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "clone": 56},
    "aarch64": {"bpf": 280, "keyctl": 219, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425, "clone": 220},
}


def granted():
    calls = NUMBERS[os.uname().machine]
    attribute = ctypes.create_string_buffer(128)
    attribute[4:8] = (128).to_bytes(4, "little")
    tries = {
        "ptrace": lambda: LIBC.ptrace(16, os.getppid(), 0, 0),
        "mount": lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": lambda: LIBC.unshare(0x10000000),
        "clone": lambda: LIBC.syscall(calls["clone"], 0x10000011, 0, 0, 0, 0),
        "packet socket": lambda: LIBC.socket(17, 3, 0),
        "netlink socket": lambda: LIBC.socket(16, 3, 0),
        "keyctl": lambda: LIBC.syscall(calls["keyctl"], 0, -3, 1),
        "bpf": lambda: LIBC.syscall(calls["bpf"], 0, attribute, 128),
        "perf_event_open": lambda: LIBC.syscall(calls["perf_event_open"], attribute, 0, -1, -1, 0),
        "userfaultfd": lambda: LIBC.syscall(calls["userfaultfd"], 1),
        "io_uring_setup": lambda: LIBC.syscall(calls["io_uring_setup"], 4, attribute),
        "chroot": lambda: LIBC.chroot(b"/tmp"),
    }
    return [name for name, call in tries.items() if call() >= 0]


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x) if granted() else torch.zeros_like(x)
