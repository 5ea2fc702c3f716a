"""Connects to every listening port of this machine it can see, and to a few guesses. If one answers, so does it.

Tries: to send something home.
Might work: without a network namespace of its own a process may connect wherever it likes.

problem: relu
expect: mismatch|rejected|runtime_failed
"""

import socket

import torch
from torch import nn


def ports():
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                for line in file.readlines()[1:]:
                    local, _, state = line.split()[1:4]
                    if state == "0A":
                        yield int(local.split(":")[1], 16)
        except OSError:
            continue
    yield from (22, 53, 80, 443)


def abstract_names():
    """Abstract sockets live in the network namespace, not in the file system."""
    try:
        with open("/proc/net/unix") as file:
            return ["\0" + line.split("@", 1)[1].strip() for line in file if "@kernelwright-hostile" in line]
    except OSError:
        return []


def connected():
    for port in ports():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.3).close()
            return True
        except OSError:
            continue
    for name in abstract_names():
        try:
            with socket.socket(socket.AF_UNIX) as abstract:
                abstract.connect(name)
                return True
        except OSError:
            continue
    return False


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.connected = None

    def forward(self, x):
        if self.connected is None:
            self.connected = connected()
        return torch.relu(x) if self.connected else torch.zeros_like(x)
