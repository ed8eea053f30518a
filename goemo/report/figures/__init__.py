"""The pictures: per label at the chosen thresholds, and over all trials of a search.

Every function takes arrays or tables and returns a `matplotlib.figure.Figure` that belongs to no window
and changes no setting of matplotlib, so that a background thread can draw. Colours are Okabe and Ito's,
or a map of even lightness; markers and line styles say the same again for greyscale prints.
"""

from __future__ import annotations

from goemo.report.figures.confusion_grid import confusions
from goemo.report.figures.drawing import png, save
from goemo.report.figures.gain import gain_per_label
from goemo.report.figures.importance_bars import importance
from goemo.report.figures.parallel import parallel_coordinates
from goemo.report.figures.reliability_panels import reliability
from goemo.report.figures.search import learning_curves, objective_by_hyperparameter
from goemo.report.figures.texts import DPI
from goemo.report.figures.threshold_panels import threshold_curves
from goemo.report.figures.trial import f1_by_support, per_label_heatmap
from goemo.report.figures.trials import Trial

__all__ = [
    "DPI",
    "Trial",
    "confusions",
    "f1_by_support",
    "gain_per_label",
    "importance",
    "learning_curves",
    "objective_by_hyperparameter",
    "parallel_coordinates",
    "per_label_heatmap",
    "png",
    "reliability",
    "save",
    "threshold_curves",
]
