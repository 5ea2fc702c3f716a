"""The nouns as frozen pydantic models. Imports no torch."""

from kernelwright.schema.base import Record
from kernelwright.schema.candidate import Candidate, Target
from kernelwright.schema.device import DeviceFacts, DeviceLimits
from kernelwright.schema.metal import MetalAccess, MetalBuffer, MetalKernel, MetalWork, ModelledTime
from kernelwright.schema.problem import Problem, ProblemError
from kernelwright.schema.run import UNTIMED, Attempt, Budget, Outcome, Run, RunSettings, RunState
from kernelwright.schema.verdict import (
    VERDICT_SCHEMA,
    Accuracy,
    BaselineTiming,
    Call,
    Interval,
    Isolation,
    Limits,
    Precision,
    Speedup,
    Status,
    Timing,
    Verdict,
)

__all__ = [
    "UNTIMED",
    "VERDICT_SCHEMA",
    "Accuracy",
    "Attempt",
    "BaselineTiming",
    "Budget",
    "Call",
    "Candidate",
    "DeviceFacts",
    "DeviceLimits",
    "Interval",
    "Isolation",
    "Limits",
    "MetalAccess",
    "MetalBuffer",
    "MetalKernel",
    "MetalWork",
    "ModelledTime",
    "Outcome",
    "Precision",
    "Problem",
    "ProblemError",
    "Record",
    "Run",
    "RunSettings",
    "RunState",
    "Speedup",
    "Status",
    "Target",
    "Timing",
    "Verdict",
]
