"""What judge and worker agree on about events of a profiler."""

OUR_MARK = "kernelwright.call"
"""The range around one call of the module."""
THEIR_MARK = "kernelwright.extension "
"""In front of the name of a function of a compiled extension."""

CALL, OPERATOR, EXTENSION, RUNTIME, KERNEL, COPY = range(6)
"""Kinds of events: a call of the module; on the host an operator, a function of a compiled extension, a function of
the CUDA runtime; on the device a kernel, and a copy or fill of memory."""

MAX_EVENTS = 20_000
MAX_NAME = 1_000
MAX_CALLS = 200
