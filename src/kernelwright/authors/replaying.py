"""When a file is worth recording as one CUDA graph, into whose memory inputs are copied and out of which outputs are
cloned, so that both stay the caller's."""

from kernelwright.authors.graph.ir import Graph, TensorType
from kernelwright.schema import Attempt

REPLAYED = "one CUDA graph: inputs are copied in, outputs are cloned"
MOST_COPIED = 256 << 20
"""Bytes of inputs up to which one is tried: to copy more takes longer than launching a few kernels."""
LAUNCHES_MS = 0.5
"""Calls up to this long may be spent in launching rather than in kernels."""


def copies_little(graph: Graph) -> bool:
    inputs = (node.type for node in graph.nodes if node.op == "input")
    return sum(kind.bytes for kind in inputs if isinstance(kind, TensorType)) <= MOST_COPIED


def may_be_launches(attempt: Attempt) -> bool:
    """Whether it was timed, and found short."""
    timing = attempt.verdict.timing
    return timing is not None and timing.candidate_ms.median <= LAUNCHES_MS
