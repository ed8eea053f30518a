"""The training engine: one configuration, from report to report, exactly resumable."""

from goemo.training.prepared import Prepared, prepare
from goemo.training.report import Report, report_progress, report_step
from goemo.training.run import Diverged, TrainingRun, train

__all__ = [
    "Diverged",
    "Prepared",
    "Report",
    "TrainingRun",
    "prepare",
    "report_progress",
    "report_step",
    "train",
]
