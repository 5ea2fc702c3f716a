"""What stands between a candidate and this machine: bubblewrap on Linux, ``sandbox-exec`` on macOS, or nothing."""

from kernelwright.judge.isolation.sandbox import NoSandbox, Sandbox, Support, cell_layers, choose, describe

__all__ = ["NoSandbox", "Sandbox", "Support", "cell_layers", "choose", "describe"]
