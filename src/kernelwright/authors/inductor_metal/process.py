"""Writing in a process of its own: Inductor is told of a device that is not there, and may take long.

Tracing for ``mps`` changes state of the whole process (device properties, back-end registration, ``MetalKernel``'s
headers). The process that asks goes on using Inductor for its own device, so none of that may happen in it.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from kernelwright.authors.author import AuthorError
from kernelwright.schema import Problem

SECONDS = 300.0
"""After this time the child is killed: the longest of the shipped problems takes a tenth of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a Candidate, and what is in it."""

    source: str
    kernels: tuple[str, ...]
    calls: tuple[str, ...]
    """Functions of torch that do the rest, such as ``torch.addmm``, each once."""

    @property
    def summary(self) -> str:
        """``2 kernels, torch.addmm``."""
        count = f"{len(self.kernels)} kernel{'s' * (len(self.kernels) != 1)}"
        return ", ".join((count, *self.calls))

    @property
    def explanation(self) -> str:
        left = f" {', '.join(self.calls)} stay calls of torch." if self.calls else ""
        return f"TorchInductor's back end for Apple GPUs fuses the work into {', '.join(self.kernels)}.{left}"


def write_in_child(problem: Problem) -> Written:
    """The Candidate for this Problem. Raises ``AuthorError`` (one line)."""
    command = [sys.executable, "-m", "kernelwright.authors.inductor_metal.process"]
    with tempfile.TemporaryDirectory(prefix="kernelwright-inductor-") as scratch:
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": scratch}
        try:
            done = subprocess.run(
                command, input=pickle.dumps(problem), capture_output=True, timeout=SECONDS, env=environment, check=False
            )
        except subprocess.TimeoutExpired:
            raise AuthorError(f"TorchInductor took more than {SECONDS:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise AuthorError(f"TorchInductor failed: {lines[-1]}")
    answer = pickle.loads(done.stdout)  # from our own child, through its own pipe
    if isinstance(answer, str):
        raise AuthorError(answer)
    return answer


def main() -> None:
    """The child: a Problem on standard input, what was written or an ``AuthorError``'s text on standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the reference may print
    from kernelwright.authors.inductor_metal.write import write

    problem = pickle.loads(sys.stdin.buffer.read())
    try:
        answer: Written | str = write(problem)
    except AuthorError as error:
        answer = str(error)
    with answers:
        pickle.dump(answer, answers)


if __name__ == "__main__":
    main()
