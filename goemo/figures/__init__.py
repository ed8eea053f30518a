"""The pictures: per label at the chosen thresholds, and over all trials of a search.

Every function takes arrays or tables and returns a `matplotlib.figure.Figure` that belongs to no window
and changes no setting of matplotlib, so that a background thread can draw. Colours are Okabe and Ito's,
or a map of even lightness; markers and line styles say the same again for greyscale prints.
"""

from __future__ import annotations

from goemo.figures.drawing import DPI, png, save
from goemo.figures.search import Trial, learning_curves, objective_by_hyperparameter
from goemo.figures.trial import f1_by_support, per_label_heatmap, threshold_curves

__all__ = [
    "DPI",
    "Trial",
    "f1_by_support",
    "learning_curves",
    "objective_by_hyperparameter",
    "per_label_heatmap",
    "png",
    "save",
    "threshold_curves",
]
