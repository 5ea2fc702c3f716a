"""Saturation in a process of its own, which can be killed: egglog has no time limit. The child imports no torch."""

import pickle
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.ir import Graph
from kernelwright.authors.rewriter.cost import Machine, cost_of
from kernelwright.authors.rewriter.saturate import Bounds, Rewritten

GRACE = 30.0
"""Seconds beyond the saturation's own bound, for start-up, the round under way, and extraction."""


def rewrite_in_child(graph: Graph, rule_names: Sequence[str], machine: Machine, bounds: Bounds) -> Rewritten | None:
    """``cheapest_form`` in a child process; ``None`` if it had to be killed.

    Raises ``AuthorError`` (one line) if egglog is missing, or the child failed.
    """
    task = pickle.dumps((graph, tuple(rule_names), machine, bounds))
    command = [sys.executable, "-m", "kernelwright.authors.rewriter.process"]
    try:
        done = subprocess.run(command, input=task, capture_output=True, timeout=bounds.seconds + GRACE, check=False)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        if "No module named 'egglog'" in lines[-1]:
            raise AuthorError("the rewriter needs egglog: pip install 'kernelwright[rewrite]'")
        raise AuthorError(f"the rewriter failed: {lines[-1]}")
    return pickle.loads(done.stdout)  # from our own child, through its own pipe


def cheapest_form(graph: Graph, rule_names: Collection[str], machine: Machine, bounds: Bounds) -> Rewritten:
    """Parts first, then saturation under the rules of these names, then stacking."""
    from kernelwright.authors.rewriter.parts import PARTS, with_parts_first
    from kernelwright.authors.rewriter.rules import ALL
    from kernelwright.authors.rewriter.saturate import rewrite
    from kernelwright.authors.rewriter.stacking import stacked

    first, moved = with_parts_first(graph, machine)
    rules = [rule for rule in ALL if rule.name in rule_names]
    found = stacked(rewrite(first, rules, machine, bounds), machine)
    if not moved:
        return found
    return replace(found, cost_before=cost_of(graph.pruned(), machine), applied=(PARTS.name, *found.applied))


def main() -> None:
    """The child: a task on standard input, the result on standard output."""
    sys.stdout.buffer.write(pickle.dumps(cheapest_form(*pickle.loads(sys.stdin.buffer.read()))))


if __name__ == "__main__":
    main()
