"""What happened, for people: rich renderables of runs, attempts and verdicts, and observers that show a run live."""

from kernelwright.report.attempt import attempt_view, diff_to_reference
from kernelwright.report.export import export_svg
from kernelwright.report.observers import LinesObserver, LiveObserver
from kernelwright.report.predictions import scores_table
from kernelwright.report.profile import profile_view
from kernelwright.report.run import live_table, result_table, run_view, runs_table
from kernelwright.report.transcript import transcript_view
from kernelwright.report.verdict import verdict_view

__all__ = [
    "LinesObserver",
    "LiveObserver",
    "attempt_view",
    "diff_to_reference",
    "export_svg",
    "live_table",
    "profile_view",
    "result_table",
    "run_view",
    "runs_table",
    "scores_table",
    "transcript_view",
    "verdict_view",
]
