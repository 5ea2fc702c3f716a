"""A module that stands in for another: the winner where it was verified, the original everywhere else."""

import threading
import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from kernelwright.deploy.calls import VerifiedCalls
from kernelwright.deploy.explain import explain
from kernelwright.deploy.watch import ModuleWatch
from kernelwright.deploy.winner import WinnerError, build
from kernelwright.problems import load
from kernelwright.schema import Attempt, Run, Verdict


@dataclass
class Calls:
    """How often the winner answered, how often the original did, and why it did the last time."""

    winner: int = 0
    original: int = 0
    last_reason: str | None = None


@dataclass
class _Live:
    """What exists in this process only, and is built again after a copy or an unpickling."""

    winner: nn.Module | None = None
    calls: VerifiedCalls | None = None
    watch: ModuleWatch | None = None
    broken: str | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)


class OptimizedModule(nn.Module):
    """What ``kernelwright.optimize`` returns.

    Parameters, buffers, submodules and ``state_dict`` are the original's own, not copies; unknown attributes are looked
    up there too. A call goes to the winner when its arguments have the shapes, dtypes, strides and device that were
    verified, the module is in eval mode, autocast is off and no gradient is asked for; any other call goes to the
    original. Weights that were changed are copied to the winner before the next call (after a change through
    ``tensor.data`` in place, which leaves no trace, call ``reload``).
    """

    def __init__(self, original: nn.Module, run: Run, attempt: Attempt | None) -> None:
        super().__init__()
        self._adopt({"original": original, "run": run, "attempt": attempt, "training": original.training})

    # -- what was found -----------------------------------------------------------------------------------------------

    @property
    def original(self) -> nn.Module:
        return self.__dict__["_original"]

    @property
    def attempt(self) -> Attempt | None:
        """The winner; ``None`` when the original stays."""
        return self.__dict__["_attempt"]

    @property
    def run(self) -> Run:
        """The run that it came from."""
        return self.__dict__["_run"]

    @property
    def source(self) -> str | None:
        """The winner's file; ``None`` when the original stays."""
        return self.attempt.candidate.source if self.attempt and self.attempt.candidate else None

    @property
    def verdict(self) -> Verdict | None:
        return self.attempt.verdict if self.attempt else None

    @property
    def calls(self) -> Calls:
        return self.__dict__["_calls"]

    def explain(self) -> str:
        """What was found, how much faster it is and against what, and who answered the calls so far."""
        calls = self.calls
        lines = explain(self.run, self.attempt)
        if calls.winner or calls.original:
            lines.append(f"calls: {calls.winner} by the winner, {calls.original} by the original")
        if calls.last_reason is not None:
            lines.append(f"the original answered last because: {calls.last_reason}")
        return "\n".join(lines)

    # -- calling ------------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.attempt is None or torch.compiler.is_compiling():
            return self.original(*args, **kwargs)
        reason = self._reason_for_original(args, kwargs)
        if reason is None:
            try:
                with torch.no_grad():
                    outputs = self._live.winner(*args)  # type: ignore[misc]
                self.calls.winner += 1
                return outputs
            except Exception as error:
                reason = self._give_up(f"the winner failed: {type(error).__name__}: {error}")
        self.calls.original += 1
        self.calls.last_reason = reason
        return self.original(*args, **kwargs)

    def reload(self) -> None:
        """Copy the original's weights to the winner now."""
        with self._live.lock:
            if self._live.winner is not None and self._live.watch is not None:
                self._copy_weights()

    def prepare(self) -> str | None:
        """Build the winner now rather than at the first call. Why it cannot be used, or ``None``."""
        live = self._live
        with live.lock:
            if live.winner is None and live.broken is None and self.attempt is not None:
                self._build()
            return live.broken

    def _reason_for_original(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        live = self._live
        if self.prepare() is not None:
            return live.broken
        assert live.calls is not None and live.watch is not None
        reason = live.watch.complaint() or live.calls.complaint(args, kwargs)
        if reason is not None:
            return reason
        if torch.is_grad_enabled() and (
            live.watch.needs_gradients() or any(isinstance(a, torch.Tensor) and a.requires_grad for a in args)
        ):
            return "gradients are enabled (use torch.no_grad() or torch.inference_mode())"
        if torch.is_autocast_enabled(self._device.type):
            return "autocast is on"
        if live.watch.weights_changed():
            with live.lock:
                self._copy_weights()
        return live.broken

    def _build(self) -> None:
        live = self._live
        try:
            problem = load(self.run.settings.problem)
            live.calls = VerifiedCalls.of(problem, str(self._device))
            live.watch = ModuleWatch(self.original)
            live.winner = build(self.source or "", problem.init_args(), self.original, self._device)
        except (WinnerError, ValueError) as error:
            self._give_up(f"the winner cannot be built here: {error}")

    def _copy_weights(self) -> None:
        live = self._live
        assert live.winner is not None and live.watch is not None
        from kernelwright.judge.worker.harness import load_weights

        try:
            live.watch.accept()
            with torch.no_grad():
                load_weights(live.winner, self.original.state_dict())
        except Exception as error:
            self._give_up(f"the winner refused new weights: {type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> str:
        line = " ".join(reason.split())
        self._live.broken = line
        self._live.winner = None
        warnings.warn(f"kernelwright: {line}; the original module answers from now on", stacklevel=4)
        return line

    @property
    def _live(self) -> _Live:
        return self.__dict__["_live_parts"]

    @property
    def _device(self) -> torch.device:
        tensors = [*self.original.parameters(), *self.original.buffers()]
        return tensors[0].device if tensors else torch.device(self.run.settings.platform)

    # -- being the original's stand-in --------------------------------------------------------------------------------

    def _adopt(self, state: dict[str, Any]) -> None:
        own = self.__dict__
        original: nn.Module = state["original"]
        own["_original"], own["_run"], own["_attempt"] = original, state["run"], state["attempt"]
        own["_calls"], own["_live_parts"] = Calls(), _Live()
        own["training"] = state["training"]
        # The same dictionaries, so that everything that reads or assigns a parameter here does so in the original.
        for shared in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            own[shared] = original.__dict__[shared]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "_original" not in self.__dict__:
                raise
            return getattr(self.__dict__["_original"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_original" not in self.__dict__ or name in self.__dict__:
            super().__setattr__(name, value)
        else:
            setattr(self.__dict__["_original"], name, value)

    def __getstate__(self) -> dict[str, Any]:
        """The winner as its source: what it was built into belongs to this process."""
        return {"original": self.original, "run": self.run, "attempt": self.attempt, "training": self.training}

    def __setstate__(self, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self._adopt(state)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.original.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.original.load_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.original._load_from_state_dict(*args, **kwargs)

    def _apply(self, fn: Any, recurse: bool = True) -> "OptimizedModule":
        self.original._apply(fn, recurse)
        return self

    def train(self, mode: bool = True) -> "OptimizedModule":
        self.original.train(mode)
        self.training = mode
        return self

    def _get_name(self) -> str:
        return f"Optimized[{type(self.original).__name__}]"
