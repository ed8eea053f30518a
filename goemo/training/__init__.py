"""The training engine: one configuration, from report to report, exactly resumable."""

from goemo.training.report import Report, report_progress, report_step
from goemo.training.run import Diverged, TrainingRun, train

__all__ = ["Diverged", "Report", "TrainingRun", "report_progress", "report_step", "train"]
