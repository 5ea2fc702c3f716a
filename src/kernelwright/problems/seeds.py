"""Random numbers under a seed, without a trace in the caller's own random state."""

import random
import sys
from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Generator[None]:
    """Seed Python's, NumPy's and torch's generators; put those of the CPU and of ``device`` back afterwards."""
    numpy = sys.modules.get("numpy")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy is not None else None
    kind = torch.device(device).type
    accelerators = [torch.device(device)] if kind in ("cuda", "mps") else []
    with torch.random.fork_rng(accelerators, device_type=kind if accelerators else "cuda"):
        try:
            random.seed(seed)
            if numpy is not None:
                numpy.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            if numpy is not None:
                numpy.random.set_state(numpy_state)
