"""The nouns as frozen pydantic models. Imports no torch."""

from kernelwright.schema.base import Record
from kernelwright.schema.candidate import Candidate, Target
from kernelwright.schema.device import DeviceFacts, DeviceLimits
from kernelwright.schema.exchange import CallStatus, Exchange, Message, Picture, Prompt, Usage
from kernelwright.schema.metal import MetalAccess, MetalBuffer, MetalKernel, MetalWork, ModelledTime
from kernelwright.schema.problem import Problem, ProblemError
from kernelwright.schema.profile import Advice, Bottleneck, Operation, Profile, Recommendation, Roofline
from kernelwright.schema.run import (
    UNTIMED,
    Attempt,
    Budget,
    ContextPiece,
    Outcome,
    Policy,
    Run,
    RunSettings,
    RunState,
    Text,
)
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
    "Advice",
    "Attempt",
    "BaselineTiming",
    "Bottleneck",
    "Budget",
    "Call",
    "CallStatus",
    "Candidate",
    "ContextPiece",
    "DeviceFacts",
    "DeviceLimits",
    "Exchange",
    "Interval",
    "Isolation",
    "Limits",
    "Message",
    "MetalAccess",
    "MetalBuffer",
    "MetalKernel",
    "MetalWork",
    "ModelledTime",
    "Operation",
    "Outcome",
    "Picture",
    "Policy",
    "Precision",
    "Problem",
    "ProblemError",
    "Profile",
    "Prompt",
    "Recommendation",
    "Record",
    "Roofline",
    "Run",
    "RunSettings",
    "RunState",
    "Speedup",
    "Status",
    "Target",
    "Text",
    "Timing",
    "Usage",
    "Verdict",
]
