"""The charts of reports, notebooks and MLflow: each drawn once, as a Vega-Lite specification.

A `Chart` shows itself in a notebook, stands live on a page (where `goemo.report.scripts` puts it to work) and
becomes a PNG. Colours are Okabe and Ito's, or a map of even lightness; shapes and dashes say the same again
for greyscale prints.

Altair and vl-convert are imported here and in `goemo.report.scripts` alone, so that `goemo.report` works
without them.
"""

from __future__ import annotations

from goemo.report.charts.confusion_grid import confusions
from goemo.report.charts.drawing import Chart, Spec
from goemo.report.charts.gain import gain_per_label
from goemo.report.charts.heatmap import per_label_heatmap
from goemo.report.charts.hyperparameters import importance, objective_by_hyperparameter
from goemo.report.charts.intervals import leaderboard_intervals
from goemo.report.charts.learning import learning_curves
from goemo.report.charts.parallel import parallel_coordinates
from goemo.report.charts.reliability import reliability
from goemo.report.charts.support import f1_by_support
from goemo.report.charts.thresholds import explorer_facts, threshold_curves, threshold_explorer
from goemo.report.charts.trials import Trial

__all__ = [
    "Chart",
    "Spec",
    "Trial",
    "confusions",
    "explorer_facts",
    "f1_by_support",
    "gain_per_label",
    "importance",
    "leaderboard_intervals",
    "learning_curves",
    "objective_by_hyperparameter",
    "parallel_coordinates",
    "per_label_heatmap",
    "reliability",
    "threshold_curves",
    "threshold_explorer",
]
