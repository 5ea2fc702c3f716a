"""Analysis: who reads profiles, and how good the predictions were."""

from kernelwright.analysis.analyst import Analyst, Subject
from kernelwright.analysis.registry import get
from kernelwright.analysis.score import Prediction, Score, predictions, scores

__all__ = ["Analyst", "Prediction", "Score", "Subject", "get", "predictions", "scores"]
