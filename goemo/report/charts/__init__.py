"""Interactive charts of a page, as Vega-Lite specifications that carry their data.

They show what `goemo.report.figures` draws, in the same colours, and answer to the pointer. Each function
takes tables or arrays and returns plain values for JSON; `goemo.report.scripts` puts them to work on a page.

Altair is imported here and nowhere else, so that `goemo.report` works without it.
"""

from __future__ import annotations

from goemo.report.charts.drawing import Spec
from goemo.report.charts.labels import explorer_facts, f1_by_support, gain_per_label, threshold_explorer
from goemo.report.charts.search import (
    leaderboard_intervals,
    learning_curves,
    objective_by_hyperparameter,
    parallel_coordinates,
)

__all__ = [
    "Spec",
    "explorer_facts",
    "f1_by_support",
    "gain_per_label",
    "leaderboard_intervals",
    "learning_curves",
    "objective_by_hyperparameter",
    "parallel_coordinates",
    "threshold_explorer",
]
